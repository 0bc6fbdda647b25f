"""Rows shared out over the processes of a world: each makes some, and all have all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from .. import Array, ArrayOps, HostArray
from .world import World

__all__ = ["bounds_of", "gathered_rows", "shared_blocks", "shared_rows"]

TEXTS = 1024
"""Texts of a block. Encoders sort them by length and fill batches, which takes some hundreds."""

ROWS = 256
"""Other rows of a block."""

AT_ONCE = 8
"""Blocks that a process makes before it gathers them: none waits long for one that is slower."""


def bounds_of(count: int, parts: int) -> list[int]:
    """Where ``count`` rows are cut into ``parts``: part i is from the i-th to the next of these."""
    return [count * i // parts for i in range(parts + 1)]


def shared_blocks(
    world: World,
    ops: ArrayOps,
    name: str,
    count: int,
    height: int,
    make: Callable[[slice], Array],
) -> Array:
    """Arrays of ``count`` rows, made in blocks of ``height``, one after the other.

    The blocks are the same for any number of processes, and with them every bit.

    Args:
        world: whose processes share the blocks.
        ops: the backend.
        name: of the collective.
        count: rows, at least 1.
        height: rows of a block; of the last one those that are left.
        make: gives the rows of a block.
    """
    starts = range(0, count, height)
    cuts = bounds_of(len(starts), world.size)
    rows = [min(cut * height, count) for cut in cuts]
    own = starts[cuts[world.rank] : cuts[world.rank + 1]]
    blocks = []
    for start in own:
        blocks.append(make(slice(start, min(start + height, count))))
        ops.evaluate(blocks[-1])
    return gathered_rows(world, ops, name, blocks, rows, *_alike(world, name, blocks))


def gathered_rows(
    world: World,
    ops: ArrayOps,
    name: str,
    own: list[Array],
    bounds: Sequence[int],
    shape: tuple[int, ...],
    dtype: str,
) -> Array:
    """The rows of all processes in order, of which this one has its ``own``.

    Args:
        world: the processes.
        ops: the backend.
        name: of the collective.
        own: arrays, one after the other the rows of this process; none where it has no row.
        bounds: process r has the rows from the r-th of these to the next.
        shape, dtype: of a row.
    """
    if world.size == 1:
        return own[0] if len(own) == 1 else ops.concat(own)
    counts = [stop - start for start, stop in pairwise(bounds)]
    lacking = max(counts) - counts[world.rank]
    padded = [*own, *([ops.zeros((lacking, *shape), dtype)] if lacking else [])]
    found = world.all_gather(name, padded[0] if len(padded) == 1 else ops.concat(padded))
    return ops.concat([found[rank][:count] for rank, count in enumerate(counts) if count])


def shared_rows(
    world: World, ops: ArrayOps, name: str, x: HostArray, make: Callable[[HostArray], HostArray]
) -> HostArray:
    """``make`` of host rows, or of a list of texts, where no row depends on the others: each
    process makes some, and has all of them in the end, (count, D) float32.

    Several processes make blocks that are the same for any number of them. One makes all at once:
    that gives the same where a row is the same in any company, bit for bit.
    """
    if world.size == 1 or len(x) == 0:
        return make(x)
    height = ROWS if hasattr(x, "dtype") else TEXTS
    step = AT_ONCE * height * world.size
    made = []
    for start in range(0, len(x), step):
        part = x[start : start + step]
        made.append(
            shared_blocks(
                *(world, ops, name, len(part), height),
                lambda rows, part=part: ops.asarray(make(part[rows])),  # type: ignore[misc]
            )
        )
    return ops.to_numpy(made[0] if len(made) == 1 else ops.concat(made))


def _alike(world: World, name: str, blocks: list[Array]) -> tuple[tuple[int, ...], str]:
    """The shape of a row and its dtype, which a process without a block learns of the others."""
    own = [[*b.shape[1:], str(b.dtype).rpartition(".")[2]] for b in blocks[:1]]
    told = [given[0] for given in world.gather_values(f"{name}: shape", own) if given]
    *shape, dtype = told[0]
    return tuple(shape), dtype
