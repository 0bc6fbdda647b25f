"""The MLX backend: Apple GPUs through Metal, and MLX's CUDA and CPU builds."""

from .ops import MlxOps

__all__ = ["MlxOps"]
