"""What a process group gathers, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn.array.distributed import World
from dtgcnn.array.ops import Array

from ..comparison import require
from ..probe import Probe
from ..processes import together
from ..registry import check

BITS = np.array(
    [-0.0, 0.0, np.inf, -np.inf, np.nan, 1.0 + 2.0**-23, 3e38, 1.2e-38, -(2.0**-126)], np.float32
)
"""Numbers that are easily lost on the way."""


def own(rank: int, *shape: int) -> Any:
    """A process's own numbers, (``*shape``), whole ones that no other has."""
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.float32) + 1000.0 * (rank + 1)).reshape(shape)


def same_bits(what: str, actual: Any, expected: Any) -> None:
    """Hold a host array to another, bit for bit."""
    require(actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}")
    alike = actual == expected
    if expected.dtype.kind == "f":
        alike = alike & (np.signbit(actual) == np.signbit(expected))
        alike = alike | ((actual != actual) & (expected != expected))
    wrong = np.argwhere(~alike)
    if len(wrong):
        at = tuple(wrong[0].tolist())
        require(False, f"{what}: at {at} {actual[at]!r} in place of {expected[at]!r}")


@check("groups")
def rank_order(probe: Probe) -> None:
    """Arrays are gathered in rank order, and every process has all of them."""

    def process(world: World) -> None:
        for shape in ((3, 4), (1,), (2, 1, 3)):
            x = probe.array(own(world.rank, *shape))
            gathered = probe.ops.to_numpy(world.all_gather("a", x))
            wanted = np.stack([own(rank, *shape) for rank in range(world.size)])
            same_bits(f"{shape} on rank {world.rank}", gathered, wanted)

    together(probe.ops, process)


@check("groups")
def every_bit(probe: Probe) -> None:
    """Zeros keep their signs, and no number is rounded, flushed or replaced on the way."""

    def process(world: World) -> None:
        given = np.roll(BITS, world.rank)
        kept = probe.ops.to_numpy(probe.array(given))  # a device may flush subnormal numbers
        gathered = probe.ops.to_numpy(world.all_gather("bits", probe.array(given)))
        wanted = np.stack([np.roll(kept, r - world.rank) for r in range(world.size)])
        same_bits("bits", gathered, wanted)

    together(probe.ops, process)


@check("groups")
def dtypes(probe: Probe) -> None:
    """Whole numbers and booleans are gathered as they are."""

    def process(world: World) -> None:
        given = {
            "int32": np.array([2**31 - 1, -(2**31), 2**24 + 1, -1, world.rank], np.int32),
            "uint32": np.array([2**32 - 1, 2**31, 2**24 + 1, world.rank], np.uint32),
            "bool": np.array([True, False, world.rank == 0]),
        }
        for name, host in given.items():
            gathered = probe.ops.to_numpy(world.all_gather(name, probe.array(host)))
            rows = [np.array([*host[:-1], _last(name, r)], host.dtype) for r in range(world.size)]
            require(gathered.dtype == host.dtype, f"{name} arrives as {gathered.dtype}")
            same_bits(name, gathered, np.stack(rows))

    together(probe.ops, process)


def _last(name: str, rank: int) -> Any:
    return rank == 0 if name == "bool" else rank


@check("groups")
def shapes(probe: Probe) -> None:
    """A number, an array of no rows and one of many are gathered like any other."""

    def process(world: World) -> None:
        for shape in ((), (0, 3), (1, 1), (300_001,)):
            host = own(world.rank, *shape) if shape else np.float32(world.rank) * np.ones(())
            gathered = probe.ops.to_numpy(world.all_gather(f"{shape}", probe.array(host)))
            require(
                tuple(gathered.shape) == (world.size, *shape),
                f"of {shape} a shape of {gathered.shape}",
            )
            for rank in range(world.size if shape else 0):
                same_bits(f"{shape}", np.asarray(gathered)[rank], own(rank, *shape))

    together(probe.ops, process)


@check("groups")
def one_after_the_other(probe: Probe) -> None:
    """Collectives do not mix, and what one gave stays when the next are called."""

    def process(world: World) -> None:
        given = [own(world.rank, 5) + 10.0 * i for i in range(20)]
        gathered = [world.all_gather("again", probe.array(host)) for host in given]
        for i, found in enumerate(gathered):
            wanted = np.stack([own(rank, 5) + 10.0 * i for rank in range(world.size)])
            same_bits(f"the {i}-th", probe.ops.to_numpy(found), wanted.astype(np.float32))

    together(probe.ops, process)


@check("groups")
def computed_arrays(probe: Probe) -> None:
    """What is gathered may be computed, or be a part of another array; it stays as it was."""

    def process(world: World) -> None:
        ops, rank = probe.ops, world.rank
        x = probe.array(own(rank, 4, 3))
        makes: dict[str, Callable[[Array], Array]] = {
            "a product": lambda a: a * 2.0,
            "every row but one": lambda a: a[1:],
            "turned": lambda a: ops.permute_dims(a, (1, 0)),
        }
        for name, make in makes.items():
            gathered = ops.to_numpy(world.all_gather(name, make(x)))
            others = [ops.to_numpy(make(probe.array(own(r, 4, 3)))) for r in range(world.size)]
            same_bits(name, gathered, np.stack(others))
        same_bits("what was given", ops.to_numpy(x), own(rank, 4, 3))

    together(probe.ops, process)


@check("groups")
def sums(probe: Probe) -> None:
    """A sum is added in rank order, so it has the same bits on every engine."""
    dtype = np.dtype(probe.ops.dtype)
    large = 1e17 if probe.ops.dtype == "float64" else 1e8
    given = [[1.0, large, -0.0], [large, 1.0, -0.0], [-large, -large, -0.0]]
    terms = [np.array(term, dtype) for term in given]

    def process(world: World) -> None:
        wanted = terms[0]
        for rank in range(1, world.size):
            wanted = wanted + terms[rank % 3]
        summed = world.sum("a sum", probe.array(terms[world.rank % 3]))
        same_bits("a sum", probe.ops.to_numpy(summed), wanted)

    together(probe.ops, process)


@check("groups")
def broadcasts(probe: Probe) -> None:
    """A broadcast gives every process the array of one of them, whichever that is."""

    def process(world: World) -> None:
        for root in range(world.size):
            last = -0.0 if world.rank == root else 1.0
            given = np.append(own(world.rank, 3), np.float32(last))
            found = world.broadcast(f"of {root}", probe.array(given), root)
            wanted = np.append(own(root, 3), np.float32(-0.0))
            same_bits(f"of {root}", probe.ops.to_numpy(found), wanted)
        world.barrier("the end")

    together(probe.ops, process)
