"""NumPy's arrays between processes, over MPI (mpi4py 4)."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from mpi4py import MPI

__all__ = ["MpiGroup"]

BUSY = 1e-4
"""Seconds after which a process that waits looks only as often."""


class MpiGroup:
    """The processes of ``MPI.COMM_WORLD``."""

    launchers: ClassVar[tuple[str, ...]] = ("mpiexec",)

    def __init__(self, ops: object) -> None:
        self._comm = MPI.COMM_WORLD
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()

    def all_gather(self, x: Any) -> Any:
        """As bytes, so that every dtype goes and every bit of it arrives."""
        given = np.ascontiguousarray(x).reshape(np.shape(x))
        gathered = np.empty((self.size, *given.shape), given.dtype)
        request = self._comm.Iallgather([given, MPI.BYTE], [gathered, MPI.BYTE])
        begin = time.perf_counter()
        while not request.Test():
            # MPI would keep a processor busy, which the others may need to get here.
            if time.perf_counter() - begin > BUSY:
                time.sleep(BUSY)
        return gathered
