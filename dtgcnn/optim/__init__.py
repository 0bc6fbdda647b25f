"""Optimisers as ``(init, update)`` pairs, and learning-rate schedules."""

from .optimizers import Optimizer, apply_updates, clip_by_global_norm, make_optimizer
from .schedules import learning_rate_at

__all__ = [
    "Optimizer",
    "apply_updates",
    "clip_by_global_norm",
    "learning_rate_at",
    "make_optimizer",
]
