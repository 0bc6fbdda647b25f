"""Arrays: the protocol ``ArrayOps``, finding who provides it, and what is derived from it once."""

from . import half_precision, numerics, random
from .backends import available_backends, check_signatures, load_backend, load_ops
from .half_precision import half_matmul
from .host_memory import give_freed_memory_back
from .ops import Array, ArrayOps, HostArray, Tree
from .random import derive_key, split, uniform
from .threads import limit_threads, one_thread, processors, thread_count
from .tree import flatten, merge, partition, ravel, refill, tree_map, unflatten, unravel

__all__ = [
    "Array",
    "ArrayOps",
    "HostArray",
    "Tree",
    "available_backends",
    "check_signatures",
    "derive_key",
    "flatten",
    "give_freed_memory_back",
    "half_matmul",
    "half_precision",
    "limit_threads",
    "load_backend",
    "load_ops",
    "merge",
    "numerics",
    "one_thread",
    "partition",
    "processors",
    "random",
    "ravel",
    "refill",
    "split",
    "thread_count",
    "tree_map",
    "unflatten",
    "uniform",
    "unravel",
]
