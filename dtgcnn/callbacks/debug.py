"""Warnings while training goes wrong, each with what to do about it."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView
from .paths import free_path

if TYPE_CHECKING:
    from ..model import Bank

__all__ = ["DebugCallback", "Finding"]

logger = logging.getLogger("dtgcnn")


@dataclass(frozen=True)
class Finding:
    """Something wrong: its ``kind``, when it was seen, the offending value and what to do."""

    kind: str
    epoch: int
    step: int
    value: float
    message: str


class DebugCallback(Callback):
    """Warn, on the logger ``dtgcnn``, of NaN, exploding gradients, collapse and over-smoothing.

    After each step the loss and the gradient's norm are looked at: one that is not finite is
    reported, and so is the first norm of an epoch above ``max_gradient_norm``. After an epoch,
    embeddings of rows that the model knows are looked at: values that are not finite, an effective
    rank below ``min_effective_rank`` (all lie near a line or a plane; Roy & Vetterli 2007) and a
    mean cosine above ``max_mean_cosine`` (all point the same way) are reported. So is a graph
    convolution that makes its rows alike: one whose outputs' mean cosine is above
    ``max_layer_cosine`` (over-smoothing; Li et al. 2018, arXiv:1801.07606; Chen et al. 2020,
    arXiv:1909.03211), and a graph more than ``max_isolated`` of whose rows have no link.

    Args:
        every_n_epochs: look at embeddings after epochs n, 2n, … only.
        sample: the most rows that are embedded for it, spread evenly over the bank.
        max_gradient_norm: of all gradients together, before clipping.
        min_effective_rank: see ``dtgcnn.evaluation.effective_rank``. A well-trained space has
            about as many dimensions as classes, so lower it for data of two classes.
        max_mean_cosine: see ``dtgcnn.evaluation.mean_cosine``.
        max_layer_cosine: the same of each graph convolution's outputs.
        max_isolated: share of the training rows, the epoch's ``isolated_nodes``.
        debug_dir: where to keep what there is to know of a step that is not finite, see
            ``save_debug_info``; nowhere where not given. It costs the memory of the parameters
            once more, as those before the step are held.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        sample: int = 512,
        max_gradient_norm: float = 100.0,
        min_effective_rank: float = 2.0,
        max_mean_cosine: float = 0.95,
        max_layer_cosine: float = 0.95,
        debug_dir: str | Path | None = None,
        max_isolated: float = 0.5,
    ) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, received {every_n_epochs}")
        if sample < 2:
            raise ValueError(f"sample must be at least 2, received {sample}")
        if not max_gradient_norm > 0.0:
            raise ValueError(f"max_gradient_norm must be above 0, received {max_gradient_norm}")
        self.every_n_epochs = every_n_epochs
        self.sample = sample
        self.max_gradient_norm = max_gradient_norm
        self.min_effective_rank = min_effective_rank
        self.max_mean_cosine = max_mean_cosine
        self.max_layer_cosine = max_layer_cosine
        self.max_isolated = max_isolated
        self.findings: list[Finding] = []
        """All that was reported, in order."""
        self.debug_dir = None if debug_dir is None else Path(debug_dir)
        self.outputs: Tree = {}
        """The metrics of the last step."""
        self._epoch = 0
        self._before: tuple[Tree, Tree] | None = None  # parameters and state before the step

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.findings = []

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"findings": [asdict(found) for found in self.findings]}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.findings = [Finding(**found) for found in state["findings"]]

    @override
    def on_epoch_begin(self, trainer: TrainerView, epoch: int) -> None:
        self._epoch = epoch

    @override
    def on_batch_begin(self, trainer: TrainerView, batch: Any, batch_idx: int) -> None:
        if self.debug_dir is not None:
            self._before = trainer.model.params, trainer.model.state

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self.outputs, loss, norm = outputs, outputs["loss"], outputs["gradient_norm"]
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._report_step(trainer, loss, norm, batch)
            return
        reported = {(found.kind, found.epoch) for found in self.findings}
        if norm <= self.max_gradient_norm or ("gradient_explosion", self._epoch) in reported:
            return
        self._report(
            trainer,
            "gradient_explosion",
            norm,
            f"the gradient norm is {norm:.4g}, above {self.max_gradient_norm:g}: lower "
            "learning_rate or gradient_clip_val, or lengthen warmup_epochs",
        )

    def _report_step(self, trainer: TrainerView, loss: float, norm: float, batch: Any) -> None:
        path = None if self.debug_dir is None else self.save_debug_info(trainer, batch)
        self._report(
            trainer,
            "not_finite",
            norm if math.isfinite(loss) else loss,
            f"the loss is {loss:g}, its gradient's norm {norm:g}: lower learning_rate or "
            "gradient_clip_val, lengthen warmup_epochs, or train without mixed_precision"
            + ("" if path is None else f"; {path} holds the step's batch and model"),
        )

    def save_debug_info(self, trainer: TrainerView, batch: Any) -> Path:
        """Write what is known of the last step into a new folder in ``debug_dir``, and return it.

        ``batch.json`` holds the step, its metrics, the config, and the batch's items (rows of the
        dataset), labels and triplets. Beside it lies the model as it was before the step, which
        ``DTGCNN.load`` reads.

        Raises:
            ValueError: there is no ``debug_dir``.
            OSError: it cannot be written.
        """
        from ..storage import write_json

        if self.debug_dir is None:
            raise ValueError("save_debug_info needs a debug_dir to write in")
        model, step = trainer.model, trainer.global_step
        path = free_path(self.debug_dir, f"step={step:06}")
        after = model.params, model.state
        if self._before is not None:
            model.params, model.state = self._before
        try:
            model.save(path)
        finally:
            model.params, model.state = after
        known = {
            "epoch": self._epoch,
            "step": step,
            "metrics": {name: _json_number(value) for name, value in self.outputs.items()},
            "config": trainer.config.to_dict(),
            "items": [int(item) for item in batch.items],
            "labels": [int(label) for label in batch.labels],
            "triplets": None if batch.triplets is None else batch.triplets.tolist(),
        }
        write_json(path / "batch.json", known)
        return path

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        bank = trainer.model.bank
        if self._epoch % self.every_n_epochs or bank is None or len(bank) < 2:
            return
        self._check_graph(trainer, metrics)
        stride = -(-len(bank) // self.sample)
        self._check_layers(trainer, bank, stride)
        self._check_embeddings(trainer, trainer.model.embed(bank.host_x[::stride]))

    def _check_graph(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        alone = metrics.get("isolated_nodes", 0.0)
        if alone > self.max_isolated:
            self._report(
                trainer,
                "isolated_nodes",
                alone,
                f"{100 * alone:.0f}% of the rows have no link in the graph, more than "
                f"{100 * self.max_isolated:g}%: lower graph_similarity_threshold",
            )

    def _check_layers(self, trainer: TrainerView, bank: Bank, stride: int) -> None:
        from ..evaluation import mean_cosine

        model = trainer.model
        outputs = bank.layer_outputs(model.ops, model.network, model.params, model.state, stride)
        for index, output in enumerate(outputs):
            cosine = mean_cosine(model.ops.to_numpy(output))
            if cosine > self.max_layer_cosine:
                self._report(
                    trainer,
                    "over_smoothing",
                    cosine,
                    f"graph convolution {index} (gcn.{index}) makes its rows alike, their mean "
                    f"cosine is {cosine:.3f}, above {self.max_layer_cosine:g}: take fewer "
                    "hidden_dims, raise graph_self_weight or graph_similarity_threshold, or lower "
                    "graph_k_neighbors",
                )

    def _check_embeddings(self, trainer: TrainerView, embeddings: Any) -> None:
        from ..evaluation import effective_rank, mean_cosine

        total = float(embeddings.sum())
        if not math.isfinite(total):
            self._report(
                trainer,
                "not_finite",
                total,
                "embeddings are not finite: lower learning_rate or gradient_clip_val, and go back "
                "to the last saved model",
            )
            return
        rank, cosine = effective_rank(embeddings), mean_cosine(embeddings)
        if rank < self.min_effective_rank:
            self._report(
                trainer,
                "low_rank",
                rank,
                f"the embeddings have collapsed to an effective rank of {rank:.2f}, below "
                f"{self.min_effective_rank:g}: lower learning_rate or weight_decay, or choose "
                "another mining_strategy than 'batch_hard'",
            )
        if cosine > self.max_mean_cosine:
            self._report(
                trainer,
                "same_direction",
                cosine,
                f"the embeddings have collapsed to one direction, their mean cosine is "
                f"{cosine:.3f}, above {self.max_mean_cosine:g}: lower learning_rate or raise "
                "triplet_margin, or choose another mining_strategy than 'batch_hard'",
            )

    def _report(self, trainer: TrainerView, kind: str, value: float, message: str) -> None:
        found = Finding(kind, self._epoch, trainer.global_step, value, message)
        self.findings.append(found)
        logger.warning("epoch %d, step %d: %s", found.epoch, found.step, message)


def _json_number(value: float) -> float | str:
    """The number, or its name where JSON has none for it."""
    return value if math.isfinite(value) else str(value)
