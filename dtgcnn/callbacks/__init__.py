"""Callbacks: what happens around training, kept out of the training loop."""

from .base import Callback
from .progress import ProgressBar
from .saving import SaveEveryEpoch

__all__ = ["Callback", "ProgressBar", "SaveEveryEpoch"]
