"""``World``: all processes of a run, and what they do together."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...errors import DistributedError
from .. import Array, ArrayOps

if TYPE_CHECKING:
    from .process_group import ProcessGroup
    from .watch import Watch

__all__ = ["ALONE", "World"]

TAG_WORDS = 48
"""Words of 32 bits that a tag is written in: 192 characters."""

SHORT_WORDS = 128
"""Words that a value is gathered in at once; a longer one takes a second time."""


class World:
    """The processes of a run.

    Every collective has a name, and all processes call the same ones in the same order. Before the
    arrays their names, shapes and dtypes are gathered: processes that went different ways get an
    error on each of them in place of wrong numbers.

    Args:
        ops: the backend whose arrays are gathered.
        group: the engine's processes; None for a world of one.
        watch: ends the process where another one does not answer.
    """

    def __init__(
        self,
        ops: ArrayOps | None = None,
        group: ProcessGroup | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.ops, self._group, self.watch = ops, group, watch
        self.rank = 0 if group is None else group.rank
        self.size = 1 if group is None else group.size
        self._count = 0

    def __repr__(self) -> str:
        return f"<World: process {self.rank} of {self.size}>"

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints, draws, logs and saves."""
        return self.rank == 0

    def all_gather(self, name: str, x: Array) -> Array:
        """The arrays ``x`` of all processes in rank order, (size, ``*x.shape``).

        Raises:
            DistributedError: the processes are at different collectives; it says at which.
        """
        if self._group is None:
            return x[None]
        self._count += 1
        tag = f"{self._count} {name} {tuple(x.shape)} {str(x.dtype).rpartition('.')[2]}"
        with self._watching(name):
            tags = self._unpack(self._group.all_gather(self._pack(tag.encode(), TAG_WORDS)))
            told = [raw.rstrip(b"\0").decode(errors="replace") for raw in tags]
            if len(set(told)) > 1:
                raise DistributedError(
                    "the processes are at different collectives (number, name, shape, dtype): "
                    + ", ".join(f"rank {rank} at {what}" for rank, what in enumerate(told))
                )
            return self._group.all_gather(x)

    def sum(self, name: str, x: Array) -> Array:
        """The sum of the processes' arrays, added in rank order: its bits are the same on every
        engine and for every number of machines."""
        gathered = self.all_gather(name, x)
        total = gathered[0]
        for rank in range(1, self.size):
            total = total + gathered[rank]
        return total

    def broadcast(self, name: str, x: Array, root: int = 0) -> Array:
        """The array of process ``root``, every bit of it; the others give one of its shape."""
        return x if self._group is None else self.all_gather(name, x)[root]

    def barrier(self, name: str) -> None:
        """Wait until all processes are here."""
        if self._group is not None:
            assert self.ops is not None
            self.all_gather(name, self.ops.zeros((1,), "int32"))

    def gather_values(self, name: str, value: Any) -> list[Any]:
        """Values of JSON's types, or numbers of a library, from all processes, in rank order."""
        if self._group is None:
            return [value]
        raw = json.dumps(value, default=float).encode()
        short = struct.pack("<i", len(raw)) + raw
        texts = self._unpack(self.all_gather(name, self._pack(short, SHORT_WORDS)))
        sizes = [struct.unpack_from("<i", text)[0] for text in texts]
        words = -(-max(sizes) // 4)
        if words < SHORT_WORDS:
            texts = [text[4:] for text in texts]
        else:
            texts = self._unpack(self.all_gather(f"{name}, whole", self._pack(raw, words)))
        return [json.loads(text[:size]) for text, size in zip(texts, sizes, strict=True)]

    def from_first(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives on rank 0, of JSON's types, on every process; it is called there
        alone.

        Raises:
            DistributedError: it raised on rank 0, where its own error is raised.
        """
        if self._group is None:
            return make()
        told: dict[str, Any] = {}
        failed: Exception | None = None
        if self.is_first:
            try:
                told = {"value": make()}
            except Exception as error:
                told, failed = {"error": f"{type(error).__name__}: {error}"}, error
        answer = self.gather_values(name, told)[0]
        if failed is not None:
            raise failed
        if "error" in answer:
            failure = DistributedError(f"rank 0: {answer['error']}")
            failure.told_elsewhere = True
            raise failure
        return answer["value"]

    def check_same(self, name: str, given: Mapping[str, Any]) -> None:
        """Refuse to go on where processes were given unlike things, of JSON's types.

        Raises:
            DistributedError: on every process; names what differs, and where.
        """
        told = self.gather_values(name, dict(given))
        for rank, other in enumerate(told):
            for key in (*told[0], *(k for k in other if k not in told[0])):
                if other.get(key) != told[0].get(key):
                    raise DistributedError(
                        f"all processes must be given the same {key}: rank 0 has "
                        f"{told[0].get(key)!r}, rank {rank} has {other.get(key)!r}"
                    )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Tell the other processes of an error that leaves the context, so that they end too."""
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException, exit_code: int = 1) -> None:
        """Tell the other processes that this one ends by ``error``: they end within seconds."""
        if self.watch is not None:
            self.watch.exit_code = exit_code
            self.watch.fail(error)

    @contextmanager
    def _watching(self, name: str) -> Iterator[None]:
        if self.watch is None:
            yield
            return
        with self.watch.during(name):
            yield

    def _pack(self, raw: bytes, words: int) -> Array:
        """Bytes as an array (words,) of int32, cut or filled up with zeros."""
        assert self.ops is not None
        padded = raw[: 4 * words].ljust(4 * words, b"\0")
        return self.ops.asarray(list(struct.unpack(f"<{words}i", padded)), "int32")

    def _unpack(self, gathered: Array) -> list[bytes]:
        assert self.ops is not None
        rows = self.ops.to_numpy(gathered).tolist()
        return [struct.pack(f"<{len(row)}i", *row) for row in rows]


ALONE = World()
"""The world of one process."""
