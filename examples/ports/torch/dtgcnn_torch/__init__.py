"""The PyTorch backend: CPUs, CUDA and Apple GPUs."""

from .ops import TorchOps

__all__ = ["TorchOps"]
