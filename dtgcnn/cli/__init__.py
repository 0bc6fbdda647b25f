"""The ``dtgcnn`` command line: one module for the commands of each kind."""

from . import about, train, use
from .main import main

__all__ = ["about", "main", "train", "use"]
