"""The JAX backend: CPUs, GPUs and TPUs through XLA."""

from .ops import JaxOps

__all__ = ["JaxOps"]
