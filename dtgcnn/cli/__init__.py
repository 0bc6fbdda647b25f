"""The ``dtgcnn`` command line: one module for the commands of each kind."""

from . import about, plot, train, use
from .main import main

__all__ = ["about", "main", "plot", "train", "use"]
