"""Processes for the checks of groups: those that a launcher started, or threads in their place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dtgcnn.array.distributed import World, current_world
from dtgcnn.array.ops import Array, ArrayOps

from .comparison import ConformanceFailure

__all__ = ["LocalGroup", "together"]

SIZES = (2, 3)
"""How many processes there are, where no launcher says."""

PATIENCE = 20.0
"""Seconds that a thread waits for the others."""

_Process = Callable[[World], None]


class Meeting:
    """Where the threads of a group leave what they gather. One of them runs at a time."""

    def __init__(self, size: int) -> None:
        self.left: list[Any] = [None] * size
        self._barrier = threading.Barrier(size)
        self.turn = threading.Lock()

    def wait(self) -> None:
        """Let the others go on until all are here."""
        self.turn.release()
        try:
            self._barrier.wait(PATIENCE)
        finally:
            self.turn.acquire()

    def leave(self) -> None:
        """Let nobody wait for a thread that has failed."""
        self._barrier.abort()


class LocalGroup:
    """A ``ProcessGroup`` of threads, which gathers by way of the host."""

    launchers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, ops: ArrayOps, rank: int, size: int, meeting: Meeting) -> None:
        self.ops, self.rank, self.size, self.meeting = ops, rank, size, meeting

    def all_gather(self, x: Array) -> Array:
        """See ``ProcessGroup.all_gather``."""
        host = np.array(self.ops.to_numpy(x))
        gathered = self.gathered(host)
        dtype = None if gathered.dtype.kind == "f" else gathered.dtype.name
        result = self.ops.asarray(gathered, dtype)
        self.ops.evaluate(result)
        return result

    def gathered(self, host: Any) -> Any:
        """The arrays of all threads in rank order, on the host."""
        self.meeting.left[self.rank] = host
        self.meeting.wait()
        gathered = np.stack(self.meeting.left)
        self.meeting.wait()
        return gathered


def together(ops: ArrayOps, process: _Process) -> None:
    """Run ``process`` as each of several processes, and raise what any of them raised.

    They are those that a launcher started, of which this is one; or two threads, then three, with
    a ``LocalGroup``, or the group that ``ops.local_group`` names.
    """
    world = current_world()
    if world.size > 1:
        failed = ""
        try:
            process(world)
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
        for rank, told in enumerate(world.gather_values("what became of a check", failed)):
            if told:
                raise ConformanceFailure(f"rank {rank}: {told}")
        return
    for size in SIZES:
        _in_threads(ops, process, size)


def _in_threads(ops: ArrayOps, process: _Process, size: int) -> None:
    meeting, failures = Meeting(size), dict[int, BaseException]()
    kind = getattr(ops, "local_group", LocalGroup)

    def run(rank: int) -> None:
        with meeting.turn:
            try:
                with np.errstate(all="ignore"):
                    process(World(ops, kind(ops, rank, size, meeting)))
            except BaseException as error:
                failures[rank] = error
                meeting.leave()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = threading.BrokenBarrierError
    for rank, error in sorted(failures.items(), key=lambda f: isinstance(f[1], left)):
        if isinstance(error, ConformanceFailure):
            raise error
        told = f"{type(error).__name__}: {error}"
        raise ConformanceFailure(f"rank {rank} of {size}: {told}") from error
