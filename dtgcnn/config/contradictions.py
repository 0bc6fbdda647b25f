"""Settings that contradict each other: one that another leaves without any effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from .choices import ScheduleName
from .rules import refuse_unless

__all__ = ["check_together", "unused_with"]

_MARGIN = ("triplet", "focal", "batch_all")
_PAIRS = ("batch_all", "supcon", "info_nce", "multi_similarity", "circle")
_WARMED = tuple(name for name in get_args(ScheduleName) if name != "one_cycle")

_USERS = (
    ("dynamic_graph_update_freq", "graph_scope", ("bank",)),
    ("mining_strategy", "loss", ("triplet", "focal")),
    ("triplet_margin", "loss", _MARGIN),
    ("target_margin", "loss", _MARGIN),
    ("triplet_distance", "loss", _MARGIN),
    ("loss_reduction", "loss", _MARGIN),
    ("triplet_swap", "loss", ("triplet", "focal")),
    ("soft_margin", "loss", ("triplet",)),
    ("focal_gamma", "loss", ("focal",)),
    ("temperature", "loss", ("supcon", "info_nce")),
    ("uniformity_weight", "loss", _PAIRS),
    ("standardize", "start", ("closed_form",)),
    ("code_weight", "start", ("closed_form",)),
    ("start_weight", "start", ("closed_form",)),
    ("momentum", "optimizer", ("sgd",)),
    ("scheduler_step_size", "scheduler", ("step",)),
    ("scheduler_gamma", "scheduler", ("step", "exponential")),
    ("warmup_epochs", "scheduler", _WARMED),
    ("warmup_steps", "scheduler", _WARMED),
)
"""A setting, the one that decides whether it is used, and the choices that use it."""

_NEEDS = (
    ("max_length", "vocab_size", 2, "has no embedding layer to take pieces"),
    ("prefetch_factor", "num_workers", 1, "has no threads to use it"),
    ("persistent_workers", "num_workers", 1, "has no threads to use it"),
    ("gradient_accumulation", "gradient_accumulation_steps", 2, "makes a step of each batch"),
)
"""A setting, the number that it needs, the least that gives it an effect, and why."""

_PARTED = (
    ("graph_scope", "bank", "a graph of the batch links the rows of all parts"),
    ("gradient_accumulation", "cached", "the parts are one batch to loss and mining"),
    ("adaptive_batch_size", False, "one process alone would make its parts smaller"),
)
"""What a step in parts needs: a setting, its value, and why."""


def unused_with(name: str, value: str) -> set[str]:
    """The settings that ``name`` = ``value`` makes no use of."""
    return {setting for setting, decider, users in _USERS if decider == name and value not in users}


def check_together(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse a setting that the others leave without effect.

    At its default it is taken as not given. A warm-up of 0 is none, which suits every schedule.

    Raises:
        ValueError: names the setting, what it would need and its value.
    """

    def given(name: str) -> bool:
        none = name.startswith("warmup") and settings[name] == 0
        return settings[name] != defaults[name] and not none

    for name, decider, users in _USERS:
        chosen, default = settings[decider], defaults[name]
        refuse_unless(
            chosen in users or not given(name),
            name,
            f"must be {'left out' if default is None else default}: the {decider} {chosen!r} makes "
            f"no use of it, only {', '.join(users)} {'do' if len(users) > 1 else 'does'}",
            settings[name],
        )
    for name, number, least, why in _NEEDS:
        rule = f"must be {defaults[name]}: {number} = {settings[number]} {why}"
        enough = (settings[number] or 0) >= least
        refuse_unless(enough or not given(name), name, rule, settings[name])
    if (settings["batch_parts"] or 1) > 1:
        for name, wanted, why in _PARTED:
            rule = f"must be {wanted!r} where a step is cut into parts (batch_parts): {why}"
            refuse_unless(settings[name] == wanted, name, rule, settings[name])
    steps, epochs = settings["warmup_steps"], settings["warmup_epochs"]
    rule = f"must not be given beside warmup_epochs = {epochs}"
    refuse_unless(steps is None or not given("warmup_epochs"), "warmup_steps", rule, steps)
