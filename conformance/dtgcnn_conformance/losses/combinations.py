"""Every loss with every mining strategy, distance, reduction and flag that a config accepts.

The combinations are made of the types that the settings are made of: a new loss, strategy, distance
or reduction is checked without being named here. What makes no sense together, the config refuses.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from dtgcnn.array.ops import ArrayOps, HostArray, Tree
from dtgcnn.array.random import derive_key
from dtgcnn.config.choices import Distance, LossName, MiningStrategy, Reduction
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.losses.objective import objective

from ..comparison import compare, require
from ..probe import STEP, Probe, Reference, normal, to_device, to_host
from ..registry import CheckFunction, check
from ..tolerances import DIFFERENCES, Tolerance
from .anchors import TURNS
from .objectives import differentiated
from .triplets import CHOSEN, EMBEDDINGS, ITEMS, LABELS

__all__ = ["BATCHES", "accepted", "configs", "expected", "pairings", "rows_of"]

SETTINGS: dict[str, tuple[Any, ...]] = {
    "triplet_distance": get_args(Distance),
    "loss_reduction": get_args(Reduction),
    "triplet_swap": (False, True),
    "soft_margin": (False, True),
    "uniformity_weight": (0.0, 0.25),
}
"""What else shapes a loss, and its values."""

_BATCH = {
    "labels": LABELS,
    "items": ITEMS,
    "mining_key": np.array(derive_key(7, "mining"), np.uint32),
}
BATCHES: dict[str, tuple[bool, Tree]] = {
    "labelled unit rows": (True, _BATCH),
    "labelled rows of any length": (False, _BATCH),
    "unit rows, every other one an anchor": (True, {**_BATCH, "anchors": TURNS}),
    "unit rows of one class": (True, {**_BATCH, "labels": 0 * LABELS}),
    "triplets and a margin": (False, {**_BATCH, "triplets": CHOSEN, "margin": np.array(0.375)}),
}
"""Batches, and whether their rows are at unit length."""

_ROWS = 0.5 * EMBEDDINGS
_UNIT = EMBEDDINGS / np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
_UNIT = _UNIT.astype(np.float32).astype(np.float64)
_DIRECTION = normal(*EMBEDDINGS.shape, seed=5) / EMBEDDINGS.size**0.5

_FIXED_FACTORS = ("circle",)
"""Losses with factors that are not differentiated: their gradient is not that of their value."""

_SHARPNESS = {"circle": 4.0, "focal": 2.0}
"""How many times the tier's error a gradient may have. The circle loss has exponents of 80 times a
cosine, and the focal weight is the square of a hinge, which is what two distances leave."""


def accepted(**settings: Any) -> DTGCNNConfig | None:
    """The config of these settings, or None where it refuses them."""
    try:
        return DTGCNNConfig(**settings)
    except ValueError:
        return None


def pairings() -> Iterator[tuple[str, str]]:
    """Every loss with every mining strategy that has an effect on it."""
    for loss, strategy in itertools.product(get_args(LossName), get_args(MiningStrategy)):
        if accepted(loss=loss, mining_strategy=strategy) is not None:
            yield loss, strategy


def configs(loss: str, strategy: str) -> Iterator[tuple[str, DTGCNNConfig]]:
    """Every config with this loss and strategy, and its settings in words but for defaults."""
    defaults = vars(DTGCNNConfig())
    for values in itertools.product(*SETTINGS.values()):
        more = dict(zip(SETTINGS, values))
        config = accepted(loss=loss, mining_strategy=strategy, **more)
        if config is not None:
            named = {"loss": loss, "mining_strategy": strategy}
            named |= {name: value for name, value in more.items() if value != defaults[name]}
            yield ", ".join(f"{name}={value}" for name, value in named.items()), config


def hold(probe: Probe, kind: str, what: str, config: DTGCNNConfig) -> None:
    """Hold value, metrics and gradient of a config's loss to the reference."""
    what = f"{kind} with {what}"
    wanted = expected(kind, config)
    actual = differentiated(probe.ops, config, BATCHES[kind][1], rows_of(config))
    for name in ("loss", "metrics"):
        probe.values(f"{name} of {what}", actual[name], wanted[name])
    probe.gradients(f"gradient of {what}", actual["gradient"], wanted["gradient"])


@functools.cache
def expected(kind: str, config: DTGCNNConfig) -> Tree:
    """What the reference has, whose gradient is held to the difference of two values beside each
    other. Computed once, however many backends are put to it."""
    reference, batch, x = Reference(), BATCHES[kind][1], rows_of(config)
    found: Tree = to_host(reference, differentiated(reference, config, batch, x))
    if config.loss not in _FIXED_FACTORS:
        along = np.array(np.sum(found["gradient"]["x"] * _DIRECTION))
        slope = np.array(_slope(reference, config, batch, x))
        compare(f"the reference's slope of {kind}", along, slope, "float64", DIFFERENCES)
    return found


def rows_of(config: DTGCNNConfig) -> HostArray:
    """The embeddings of every batch, at unit length where the config makes them so."""
    return _UNIT if config.normalize_output else _ROWS


def _slope(ops: ArrayOps, config: DTGCNNConfig, batch: Tree, x: HostArray) -> float:
    """The central difference of the loss in one direction in which every number moves."""
    given = to_device(ops, batch)
    ends = [
        float(ops.to_numpy(objective(ops, config, ops.asarray(x + h * _DIRECTION), given)[0]))
        for h in (STEP, -STEP)
    ]
    return (ends[0] - ends[1]) / (2.0 * STEP)


def _tolerant(probe: Probe, loss: str) -> Probe:
    """The probe, or one that allows the loss more than its tier does."""
    if loss not in _SHARPNESS:
        return probe
    rtol, atol = (_SHARPNESS[loss] * part for part in probe.tolerance.gradient)
    return probe.within(replace(probe.tolerance, gradient=Tolerance(rtol, atol)))


def _check_of(loss: str, strategy: str) -> CheckFunction:
    def hold_all(probe: Probe) -> None:
        probe, count = _tolerant(probe, loss), 0
        for what, config in configs(loss, strategy):
            for kind, (unit, batch) in BATCHES.items():
                if strategy != "explicit" or "triplets" in batch:
                    hold(probe, kind, what, config.replace(normalize_output=unit))
                    count += 1
        require(count > 0, f"no config has the loss {loss!r} and the strategy {strategy!r}")

    hold_all.__name__ = f"every_{loss}_loss_of_{strategy}_mining"
    hold_all.__doc__ = f"Every {loss!r} loss of {strategy!r} mining that a config accepts."
    return hold_all


for _loss, _strategy in pairings():
    check("losses")(_check_of(_loss, _strategy))
