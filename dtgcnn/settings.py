"""The rules that the fields of ``DTGCNNConfig`` obey: types, ranges, choices, contradictions."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from .layers import Activation, Initializer
from .losses import Distance
from .optim import OptimizerName
from .schedules import SCHEDULES

__all__ = ["SHAPE_THE_MODEL", "GraphScope", "LossName", "MiningStrategy", "Precision"]
__all__ += ["check_values", "refuse_unless", "to_python"]

GraphScope: TypeAlias = Literal["bank", "batch"]
MiningStrategy: TypeAlias = Literal[
    "auto", "batch_hard", "explicit", "semi_hard", "easy_positive", "distance_weighted"
]
LossName: TypeAlias = Literal[
    "triplet", "focal", "batch_all", "supcon", "info_nce", "multi_similarity", "circle"
]
Precision: TypeAlias = Literal["float16", "bfloat16"]

SHAPE_THE_MODEL = (
    *("input_dim", "hidden_dims", "output_dim", "gcn_activation", "use_batch_norm"),
    *("dropout_rate", "normalize_output", "graph_k_neighbors", "graph_similarity_threshold"),
    "graph_self_weight",
)
"""The fields that must be the model's own when it is trained."""

_WHOLE = {
    **dict.fromkeys(("input_dim", "output_dim", "num_gcn_layers"), 1),
    **dict.fromkeys(("dynamic_graph_update_freq", "bank_size", "batch_size", "num_epochs"), 1),
    **dict.fromkeys(("scheduler_step_size", "gradient_accumulation_steps"), 1),
    "graph_k_neighbors": 1,
    **dict.fromkeys(("early_stopping_patience", "num_threads", "prefetch_factor"), 1),
    **dict.fromkeys(("seed", "warmup_steps", "clear_cache_every", "cache_limit", "num_workers"), 0),
    "samples_per_class": 2,
}
"""Whole numbers and the least they may be."""

_FLAGS = (
    *("use_batch_norm", "normalize_output", "triplet_swap", "soft_margin"),
    *("gradient_checkpointing", "adaptive_batch_size", "offload_optimizer", "persistent_workers"),
)

_OPTIONAL = {
    *("graph_self_weight", "scheduler_gamma", "target_margin", "warmup_steps"),
    *("early_stopping_patience", "num_threads", "cache_limit", "num_gcn_layers"),
}
"""What may be None."""

_INF = float("inf")
_RANGES = (
    ("dropout_rate", 0.0, 1.0, "[)"),
    ("graph_similarity_threshold", -1.0, 1.0, "[]"),
    ("graph_self_weight", 0.0, 1.0, "(]"),
    ("triplet_margin", 0.0, _INF, "()"),
    ("target_margin", 0.0, _INF, "()"),
    ("focal_gamma", 0.0, _INF, "()"),
    ("temperature", 0.0, _INF, "()"),
    ("uniformity_weight", 0.0, _INF, "[)"),
    ("learning_rate", 0.0, _INF, "()"),
    ("momentum", 0.0, 1.0, "[)"),
    ("scheduler_gamma", 0.0, 1.0, "(]"),
    ("weight_decay", 0.0, _INF, "[)"),
    ("warmup_epochs", 0.0, 1e6, "[]"),
    ("gradient_clip_val", 0.0, _INF, "(]"),
)

_CHOICES: dict[str, tuple[Any, ...]] = {
    "gcn_activation": get_args(Activation),
    "initializer": get_args(Initializer),
    "graph_scope": get_args(GraphScope),
    "loss": get_args(LossName),
    "loss_reduction": ("mean", "mean_active", "sum"),
    "mining_strategy": get_args(MiningStrategy),
    "triplet_distance": get_args(Distance),
    "optimizer": get_args(OptimizerName),
    "scheduler": tuple(SCHEDULES),
    "gradient_accumulation": ("cached", "plain"),
    "mixed_precision": (False, True, *get_args(Precision)),
    "device": ("auto", "cpu", "gpu"),
}


def to_python(value: Any) -> Any:
    """NumPy's numbers as Python's, a list as a tuple."""
    if isinstance(value, list):
        return tuple(to_python(part) for part in value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def check_values(settings: Mapping[str, Any]) -> None:
    """Refuse a value of a wrong type or out of range, and values that contradict each other.

    Raises:
        ValueError: names the setting, the rule and the value.
    """
    dims = settings["hidden_dims"]
    refuse_unless(isinstance(dims, tuple), "hidden_dims", "must be a list of widths", dims)
    refuse_unless(bool(dims), "hidden_dims", "must name one width or more", ())
    for width in dims:
        _check_whole("hidden_dims", width, 1)
    given = {k: v for k, v in settings.items() if not (v is None and k in _OPTIONAL)}
    for name in given.keys() & _WHOLE.keys():
        _check_whole(name, given[name], _WHOLE[name])
    for name in _FLAGS:
        refuse_unless(isinstance(given[name], bool), name, "must be true or false", given[name])
    for name, low, high, closed in _RANGES:
        if name in given:
            _check_range(name, given[name], low, high, closed)
    for name, choices in _CHOICES.items():
        value = given[name]
        same = any(type(value) is type(choice) and value == choice for choice in choices)
        listed = ", ".join(str(c).lower() if isinstance(c, bool) else c for c in choices)
        refuse_unless(same, name, f"must be one of {listed}", value)
    _check_together(settings)


def refuse_unless(holds: bool, name: str, rule: str, value: object) -> None:
    """Raise the ValueError of every setting: its name, the rule and the value."""
    if not holds:
        raise ValueError(f"{name} {rule}, received {value!r}")


def _check_together(settings: Mapping[str, Any]) -> None:
    loss, mining = settings["loss"], settings["mining_strategy"]
    refuse_unless(
        loss in ("triplet", "focal") or mining == "auto",
        "mining_strategy",
        f"must be auto: the loss {loss!r} takes all pairs of a batch and mines none",
        mining,
    )
    target = settings["target_margin"]
    refuse_unless(
        target is None or loss in ("triplet", "focal", "batch_all"),
        "target_margin",
        f"must not be given: the loss {loss!r} has no margin that changes",
        target,
    )


def _check_whole(name: str, value: object, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
    refuse_unless(whole, name, f"must be a whole number of at least {least}", value)


def _check_range(name: str, value: Any, low: float, high: float, closed: str) -> None:
    inside = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = inside and (low <= value if closed[0] == "[" else low < value)
    inside = inside and (value <= high if closed[1] == "]" else value < high)
    rule = f"must be a number in {closed[0]}{low}, {high}{closed[1]}"
    refuse_unless(inside, name, rule, value)
