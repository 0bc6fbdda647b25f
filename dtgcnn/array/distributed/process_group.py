"""``ProcessGroup``: what an engine for several processes provides."""

from __future__ import annotations

from typing import ClassVar, Protocol

from .. import Array

__all__ = ["ProcessGroup"]


class ProcessGroup(Protocol):
    """The processes that a launcher started, as their engine knows them.

    A class for a backend's arrays is found by the entry point of the backend's name in the group
    ``dtgcnn.groups``. It is called with the backend and joins the others: ``MlxGroup(ops)``.
    """

    launchers: ClassVar[tuple[str, ...]]
    """The names in ``dtgcnn.array.distributed.LAUNCHERS`` of what may start such processes."""

    rank: int
    """The number of this process, from 0."""

    size: int
    """How many there are."""

    def all_gather(self, x: Array) -> Array:
        """The arrays ``x`` of all processes in rank order, (size, ``*x.shape``), bit for bit.

        All give equal shapes and dtypes. It is evaluated when it returns.
        """
        ...
