"""The ``dtgcnn`` command line: one module for the commands of each kind."""

from . import about, augment, check, generate, plot, train, use
from .main import main

__all__ = ["about", "augment", "check", "generate", "main", "plot", "train", "use"]
