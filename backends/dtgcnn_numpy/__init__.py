"""The reference backend: NumPy arrays, gradients by HIPS autograd, neighbour sums by SciPy CSR."""

from .ops import NumpyOps

__all__ = ["NumpyOps"]
