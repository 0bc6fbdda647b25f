"""Learning-rate schedules: pure functions of the step.

``learning_rate_at`` is the entry point. Behind a linear warm-up it follows one of ``SCHEDULES``,
which maps a name to a function of the step's ``Place`` whose value is a share of the peak.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..config import refuse_unknown

__all__ = ["SCHEDULES", "Place", "learning_rate_at"]


class Place(NamedTuple):
    """Where a step is, counted from the end of the warm-up."""

    step: int
    """Steps before this one."""
    steps: int
    """Steps in all."""
    epoch: int
    """Whole epochs before this step."""
    step_size: int
    """Epochs from one drop of ``"step"`` to the next."""
    gamma: float | None
    """The factor of ``"step"`` and ``"exponential"``; None for the schedule's own."""


def learning_rate_at(
    step: int,
    *,
    peak: float,
    total_steps: int,
    warmup_steps: int,
    schedule: str,
    steps_per_epoch: int = 1,
    step_size: int = 10,
    gamma: float | None = None,
) -> float:
    """The learning rate of ``step`` = 0, 1, … ``total_steps`` − 1.

    ``peak · (step + 1) / warmup_steps`` over the warm-up, then ``peak · SCHEDULES[schedule]`` over
    what remains, whose steps and epochs are counted from the end of the warm-up. ``"one_cycle"``
    brings its own warm-up, and ``warmup_steps`` has no effect on it. Steps beyond the last are at
    the end of the schedule.

    Args:
        step: optimiser steps taken before this one.
        peak: the largest learning rate.
        total_steps: steps of the whole training.
        warmup_steps: steps of linear warm-up, 0 for none.
        schedule: a name in ``SCHEDULES``.
        steps_per_epoch: what ``"step"`` and ``"exponential"`` call an epoch; at 1 they count steps.
        step_size: epochs from one drop of ``"step"`` to the next.
        gamma: factor of each drop of ``"step"``, by default 0.1, or of each epoch of
            ``"exponential"``, by default 0.95.

    Raises:
        ValueError: the schedule is unknown, or an argument is out of range.
    """
    refuse_unknown("schedule", schedule, SCHEDULES)
    for name, count in (("steps_per_epoch", steps_per_epoch), ("step_size", step_size)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1, received {count!r}")
    if gamma is not None and not 0.0 < gamma <= 1.0:
        raise ValueError(f"gamma must be in (0, 1], received {gamma!r}")
    if schedule == "one_cycle":
        warmup_steps = 0
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    steps = max(total_steps - warmup_steps, 1)
    taken = min(step - warmup_steps, steps)
    place = Place(taken, steps, taken // steps_per_epoch, step_size, gamma)
    return peak * SCHEDULES[schedule](place)


def _constant(at: Place) -> float:
    """1."""
    return 1.0


def _linear(at: Place) -> float:
    """``1 − t``, with t from 0 to 1."""
    return 1.0 - at.step / at.steps


def _cosine(at: Place) -> float:
    """``(1 + cos(π t)) / 2``, with t from 0 to 1 (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    return _cosine_between(1.0, 0.0, at.step / at.steps)


def _one_cycle(at: Place) -> float:
    """Half a cosine from 1/25 up to 1 over 30% of the steps, and one down to 1/250,000.

    Smith & Topin 2018, arXiv:1708.07120, in the two-phase form of fast.ai and PyTorch.
    """
    start, end = 1.0 / 25.0, 1.0 / 25.0 / 1e4
    top, last = 0.3 * at.steps - 1.0, at.steps - 1.0
    if at.step <= top:
        return _cosine_between(start, 1.0, at.step / top)
    return _cosine_between(1.0, end, min((at.step - top) / (last - top), 1.0))


def _step(at: Place) -> float:
    """``gammaⁿ`` after n times ``step_size`` epochs."""
    gamma = 0.1 if at.gamma is None else at.gamma
    return float(gamma ** (at.epoch // at.step_size))


def _exponential(at: Place) -> float:
    """``gammaⁿ`` in the n-th epoch, from n = 0."""
    gamma = 0.95 if at.gamma is None else at.gamma
    return float(gamma**at.epoch)


def _cosine_between(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[Place], float]] = {
    "cosine": _cosine,
    "constant": _constant,
    "linear": _linear,
    "one_cycle": _one_cycle,
    "step": _step,
    "exponential": _exponential,
}
"""The share of the peak at a place, by name."""
