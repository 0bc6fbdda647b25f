"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math

__all__ = ["learning_rate_at"]


def learning_rate_at(
    step: int, *, peak: float, total_steps: int, warmup_steps: int, schedule: str
) -> float:
    """The learning rate of ``step`` = 0, 1, … ``total_steps`` − 1.

    Linear from ``peak / warmup_steps`` to ``peak`` over the warm-up, then ``"constant"``, or
    ``"cosine"``: ``peak · (1 + cos(π t)) / 2``, with t from 0 to 1 over what remains
    (Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return peak * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
