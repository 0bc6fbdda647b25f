"""The rules that the fields of ``DTGCNNConfig`` obey, each by itself: types, ranges, choices."""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_args

from .choices import (
    DEVICES,
    Activation,
    Distance,
    GraphScope,
    Initializer,
    LossName,
    MiningStrategy,
    OptimizerName,
    Precision,
    ScheduleName,
    StartName,
)

__all__ = [
    "SHAPE_THE_MODEL",
    "check_names",
    "check_values",
    "check_whole",
    "did_you_mean",
    "is_whole",
    "refuse_more",
    "refuse_unknown",
    "refuse_unless",
    "rule_of",
    "shown",
]
__all__ += ["to_python"]

SHAPE_THE_MODEL = (
    *("input_dim", "vocab_size", "max_length", "hidden_dims", "output_dim"),
    *("gcn_activation", "use_batch_norm"),
    *("dropout_rate", "normalize_output", "graph_k_neighbors", "graph_similarity_threshold"),
    *("graph_self_weight", "initializer", "start", "standardize", "code_weight"),
    "propagation_hops",
)
"""The fields that must be the model's own when it is trained."""

_WHOLE = {
    **dict.fromkeys(("input_dim", "output_dim", "num_gcn_layers"), 1),
    **dict.fromkeys(("dynamic_graph_update_freq", "bank_size", "batch_size", "num_epochs"), 1),
    **dict.fromkeys(("scheduler_step_size", "gradient_accumulation_steps"), 1),
    **dict.fromkeys(("graph_k_neighbors", "batch_parts"), 1),
    **dict.fromkeys(("early_stopping_patience", "num_threads", "prefetch_factor"), 1),
    **dict.fromkeys(("seed", "warmup_steps", "clear_cache_every", "cache_limit", "num_workers"), 0),
    "propagation_hops": 0,
    **dict.fromkeys(("samples_per_class", "vocab_size"), 2),
    "max_length": 1,
}
"""Whole numbers and the least they may be."""

_MOST = {
    "seed": 2**64 - 1,
    "cache_limit": 2**63 - 1,
    **dict.fromkeys(("input_dim", "output_dim", "hidden_dims", "max_length"), 2**24),
    **dict.fromkeys(("num_gcn_layers", "propagation_hops", "num_workers", "prefetch_factor"), 1024),
}
"""The most that some of them may be; of the others 2³¹ − 1, as of all that arrays number."""

_FLAGS = (
    *("use_batch_norm", "normalize_output", "triplet_swap", "soft_margin"),
    *("gradient_checkpointing", "adaptive_batch_size", "offload_optimizer", "persistent_workers"),
)

_OPTIONAL = {
    *("graph_self_weight", "scheduler_gamma", "target_margin", "warmup_steps"),
    *("early_stopping_patience", "num_threads", "cache_limit", "num_gcn_layers", "vocab_size"),
    "batch_parts",
}
"""What may be None."""

_INF = float("inf")
_FLOAT32 = (1.2e-38, 3.4e38)
"""The least above 0 and the most that float32 holds."""
_RANGES = {
    "dropout_rate": (0.0, 1.0, "[)"),
    "graph_similarity_threshold": (-1.0, 1.0, "[]"),
    "graph_self_weight": (0.0, 1.0, "(]"),
    "triplet_margin": (0.0, _INF, "()"),
    "target_margin": (0.0, _INF, "()"),
    "focal_gamma": (0.0, _INF, "()"),
    "temperature": (0.0, _INF, "()"),
    "uniformity_weight": (0.0, _INF, "[)"),
    "start_weight": (0.0, _INF, "[)"),
    "code_weight": (0.0, _INF, "[)"),
    "learning_rate": (0.0, _INF, "()"),
    "momentum": (0.0, 1.0, "[)"),
    "scheduler_gamma": (0.0, 1.0, "(]"),
    "weight_decay": (0.0, _INF, "[)"),
    "warmup_epochs": (0.0, 1e6, "[]"),
    "gradient_clip_val": (0.0, _INF, "(]"),
    "process_timeout": (0.0, _INF, "()"),
}

_CHOICES: dict[str, tuple[Any, ...]] = {
    "gcn_activation": get_args(Activation),
    "initializer": get_args(Initializer),
    "graph_scope": get_args(GraphScope),
    "loss": get_args(LossName),
    "loss_reduction": ("mean", "mean_active", "sum"),
    "mining_strategy": get_args(MiningStrategy),
    "triplet_distance": get_args(Distance),
    "optimizer": get_args(OptimizerName),
    "scheduler": get_args(ScheduleName),
    "gradient_accumulation": ("cached", "plain"),
    "mixed_precision": (False, True, *get_args(Precision)),
    "device": DEVICES,
    "start": get_args(StartName),
    "standardize": (False, True, "auto"),
}

_WORDS = {"graph_self_weight": ("adaptive",)}
"""What a number may be instead."""


_NAMES = (*_WHOLE, *_FLAGS, *_RANGES, *_CHOICES, "hidden_dims", "hidden_dim")
"""Every setting."""


def check_names(settings: Mapping[str, Any]) -> None:
    """Refuse a setting that does not exist, naming the nearest that does."""
    for name in settings:
        if name not in _NAMES:
            hint = did_you_mean(name, _NAMES) or "; `dtgcnn settings` lists them"
            raise ValueError(f"unknown setting {shown(name)}{hint}")


def rule_of(name: str) -> str:
    """What a setting may be, in words that follow "must be"."""
    if name == "hidden_dims":
        return "a list of widths"
    if name in _FLAGS:
        return "true or false"
    if name in _CHOICES:
        shown = (str(c).lower() if isinstance(c, bool) else c for c in _CHOICES[name])
        return f"one of {', '.join(shown)}"
    if name in _RANGES:
        low, high, closed = _RANGES[name]
        words = "".join(f" or {word}" for word in _WORDS.get(name, ()))
        return f"a number in {closed[0]}{low}, {high}{closed[1]}{words}"
    return f"a whole number of at least {_WHOLE[name]}"


def to_python(value: Any) -> Any:
    """NumPy's numbers as Python's, a list of them as a tuple."""
    if isinstance(value, list):
        return tuple(part if isinstance(part, list) else to_python(part) for part in value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def check_values(settings: Mapping[str, Any]) -> None:
    """Refuse a value of a wrong type or out of range.

    Raises:
        ValueError: names the setting, the rule and the value, and for a wrong name the nearest
            valid one.
    """
    dims = settings["hidden_dims"]
    refuse_unless(isinstance(dims, tuple), "hidden_dims", f"must be {rule_of('hidden_dims')}", dims)
    refuse_unless(bool(dims), "hidden_dims", "must name one width or more", ())
    for width in dims:
        refuse_unless(is_whole(width, 1), "hidden_dims", f"must be {rule_of('input_dim')}", width)
        refuse_more("hidden_dims", width)
    for name, value in settings.items():
        if name == "hidden_dims" or (value is None and name in _OPTIONAL):
            continue
        hint = did_you_mean(value, _CHOICES.get(name, _WORDS.get(name, ())))
        refuse_unless(_fits(name, value), name, f"must be {rule_of(name)}", value, hint)
        if name in _WHOLE:
            refuse_more(name, value)
        elif name in _RANGES and isinstance(value, (int, float)) and value not in (0, _INF):
            held = _FLOAT32[0] <= abs(value) <= _FLOAT32[1]
            rule = "must be a number that float32 holds, between 1.2e-38 and 3.4e38"
            refuse_unless(held, name, rule, value)


def refuse_more(name: str, value: int) -> None:
    """Refuse a whole number that is larger than a setting may be."""
    most = _MOST.get(name, 2**31 - 1)
    refuse_unless(value <= most, name, f"must be at most {most:,}", value)


def refuse_unless(holds: bool, name: str, rule: str, value: object, hint: str = "") -> None:
    """Raise the ValueError of every setting: its name, the rule and the value."""
    if not holds:
        raise ValueError(f"{name} {rule}, received {shown(value)}{hint}")


def refuse_unknown(name: str, value: object, choices: Collection[str]) -> None:
    """Raise the ValueError of a value that is none of ``choices``."""
    if value not in choices:
        refuse_unless(False, name, f"must be one of {', '.join(choices)}", value)


def shown(value: object) -> str:
    """``repr`` of a value for a message, cut where it is long, wide or deep."""
    short = reprlib.Repr()
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = 20
    short.maxstring = short.maxother = short.maxlong = 120
    return short.repr(value)


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """The end of a message that names the word nearest to a wrong one; empty where none is near."""
    words = [name for name in known if isinstance(name, str)]
    typed = word.lower() if isinstance(word, str) and len(word) <= 60 else ""
    near = difflib.get_close_matches(typed, words, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, str) and value in _WORDS.get(name, ()):
        return True
    if name in _FLAGS:
        return isinstance(value, bool)
    if name in _CHOICES:
        return any(isinstance(value, type(c)) and value == c for c in _CHOICES[name])
    if name in _WHOLE:
        return is_whole(value, _WHOLE[name])
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    low, high, closed = _RANGES[name]
    above = low <= value if closed[0] == "[" else low < value
    return above and (value <= high if closed[1] == "]" else value < high)


def check_whole(name: str, value: object, least: int) -> int:
    """``value`` as Python's; raise ``ValueError`` unless it is a whole number of at least
    ``least``."""
    number = to_python(value)
    rule = f"must be a whole number of at least {least}"
    refuse_unless(is_whole(number, least), name, rule, value)
    return int(number)


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
