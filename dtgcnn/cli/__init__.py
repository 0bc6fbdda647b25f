"""The ``dtgcnn`` command line: a file a command, named as the command, and ``main``."""

from . import (
    augment,
    backends,
    check,
    encode,
    evaluate,
    generate,
    index,
    plot,
    sample,
    search,
    settings,
    train,
)
from .main import main

__all__ = [
    "augment",
    "backends",
    "check",
    "encode",
    "evaluate",
    "generate",
    "index",
    "main",
    "plot",
    "sample",
    "search",
    "settings",
    "train",
]
