"""Several processes as one run: who they are, what they gather, and how they end together.

A launcher starts the same program several times. Each process joins the ``World``, which gathers
arrays in rank order; all else is made of that. Without a launcher there is a world of one, and no
engine is imported.
"""

from .joining import current_world, joined
from .process_group import ProcessGroup
from .sharing import bounds_of, gathered_rows, shared_blocks, shared_rows
from .world import ALONE, World

__all__ = [
    "ALONE",
    "ProcessGroup",
    "World",
    "bounds_of",
    "current_world",
    "gathered_rows",
    "joined",
    "shared_blocks",
    "shared_rows",
]
