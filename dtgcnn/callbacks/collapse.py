"""A warning where a loss with a margin is what it is of embeddings that are all alike."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from typing_extensions import override

from ..config import DTGCNNConfig
from .base import Callback, TrainerView

__all__ = ["CollapseWatch"]

_log = logging.getLogger("dtgcnn")
_READ = {"loss", "active_fraction", "mean_negative_distance", "valid_triplets"}


class CollapseWatch(Callback):
    """Warn once, on the logger ``dtgcnn``, when the embeddings have fallen together.

    All distances are then near 0, so that the loss of a triplet is that of its margin alone. An
    epoch looks collapsed where its loss is within ``tolerance`` of what identical embeddings give
    (the margin, but for softplus and focal weights), where more than ``min_active`` of the triplets
    are active, and where negatives are nearer than the margin. Two such epochs in a row are
    reported, the first time. ``Trainer`` adds one for ``"triplet"``, ``"focal"`` and
    ``"batch_all"``; it goes by ``trainer.history`` and has no state of its own.

    Args:
        tolerance: relative, of the loss.
        min_active: share of the triplets.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, tolerance: float = 0.03, min_active: float = 0.98) -> None:
        for name, value in (("tolerance", tolerance), ("min_active", min_active)):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} must be above 0 and below 1, received {value}")
        self.tolerance = tolerance
        self.min_active = min_active

    @staticmethod
    def watches(config: DTGCNNConfig) -> bool:
        """Whether the config's loss has a margin."""
        return config.loss in ("triplet", "focal", "batch_all")

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        config = trainer.config
        if not self.watches(config):
            return
        looks = [self.looks_collapsed(config, epoch) for epoch in trainer.history]
        pairs = [i for i in range(1, len(looks)) if looks[i - 1] and looks[i]]
        if pairs != [len(looks) - 1]:  # none, or reported before
            return
        _log.warning(
            "epoch %d: the embeddings have fallen together: for two epochs the loss, now %.4f, is "
            "what identical embeddings give at a margin of %g, and %.1f%% of the triplets are "
            "active. Take another loss (loss='supcon', on the command line --set loss=supcon), "
            "more steps (num_epochs, or a smaller batch_size) or a smaller learning_rate",
            int(metrics["epoch"]),
            metrics["loss"],
            _margin(config, metrics),
            100 * metrics["active_fraction"],
        )

    def looks_collapsed(self, config: DTGCNNConfig, metrics: Mapping[str, float]) -> bool:
        """Whether an epoch's ``metrics`` are those of embeddings that are all alike."""
        if not metrics.keys() >= _READ:
            return False
        margin = _margin(config, metrics)
        alike = _of_identical(config, margin)
        if config.loss_reduction == "sum":
            alike *= metrics["valid_triplets"]
        near = abs(metrics["loss"] - alike) <= self.tolerance * alike
        together = metrics["mean_negative_distance"] < margin
        return near and together and metrics["active_fraction"] > self.min_active


def _margin(config: DTGCNNConfig, metrics: Mapping[str, float]) -> float:
    """The epoch's margin, which ``target_margin`` moves."""
    return metrics.get("margin", config.triplet_margin)


def _of_identical(config: DTGCNNConfig, margin: float) -> float:
    """The loss of a triplet whose three embeddings are one."""
    if config.loss == "focal":
        return float((1.0 - math.exp(-margin)) ** config.focal_gamma * margin)
    if config.loss == "triplet" and config.soft_margin:
        return math.log1p(math.exp(margin))
    return margin
