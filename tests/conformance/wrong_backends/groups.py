"""Process groups that are wrong on purpose, and faults in what is made of a gather."""

from __future__ import annotations

from typing import Any

import numpy as np
from dtgcnn_conformance.processes import LocalGroup
from dtgcnn_numpy import NumpyOps

from .core import in_the_core
from .fault import FAULTS, Fault


def wrong(*checks: str) -> Any:
    """Register a group as a fault; the first line of its docstring says what is wrong."""

    def register(group: type[LocalGroup]) -> type[LocalGroup]:
        what = (group.__doc__ or "").partition("\n")[0].rstrip(".")
        make = type(group.__name__, (NumpyOps,), {"local_group": group})
        FAULTS.append(Fault(group.__name__, what, checks, make))
        return group

    return register


@wrong("groups/rank_order")
class Reversed(LocalGroup):
    """The last process comes first."""

    def gathered(self, host: Any) -> Any:
        return super().gathered(host)[::-1]


@wrong("groups/rank_order")
class OwnFirst(LocalGroup):
    """Each process has its own array first, as a ring receives them."""

    def gathered(self, host: Any) -> Any:
        return np.roll(super().gathered(host), -self.rank, axis=0)


@wrong("groups/rank_order")
class OwnAlone(LocalGroup):
    """Nothing arrives: every process has its own array in each place."""

    def gathered(self, host: Any) -> Any:
        return np.stack([host] * len(super().gathered(host)))


@wrong("groups/rank_order")
class OneBehind(LocalGroup):
    """The last process has the array of the one before twice."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        found[-1] = found[-2]
        return found


@wrong("groups/rank_order", "groups/shapes")
class Joined(LocalGroup):
    """Arrays are joined along their first axis, not stacked."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        return found.reshape(-1, *host.shape[1:]) if host.ndim > 1 else found


@wrong("groups/every_bit")
class LostSigns(LocalGroup):
    """−0.0 arrives as 0.0, as a sum with zeros makes it."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        return found + np.zeros_like(found) if found.dtype.kind == "f" else found


@wrong("groups/every_bit")
class NoInfinities(LocalGroup):
    """Infinities arrive as the largest numbers."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        return np.nan_to_num(found, nan=np.nan) if found.dtype.kind == "f" else found


@wrong("groups/every_bit")
class HalfOnTheWire(LocalGroup):
    """Floats are sent in bfloat16's precision."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        if found.dtype != np.float32:
            return found
        return (found.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


@wrong("groups/every_bit")
class Flushed(LocalGroup):
    """The smallest numbers arrive as 0."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        return (
            np.where(np.abs(found) < 1e-37, found * 0, found) if host.dtype.kind == "f" else found
        )


@wrong("groups/dtypes")
class WholeNumbersAsFloats(LocalGroup):
    """Whole numbers travel as float32, which holds 24 bits."""

    def gathered(self, host: Any) -> Any:
        if host.dtype.kind not in "iu" or (host.ndim == 1 and len(host) > 40):  # tags and values
            return super().gathered(host)
        return super().gathered(host.astype(np.float32)).astype(host.dtype)


@wrong("groups/dtypes")
class TruthAsOne(LocalGroup):
    """Booleans arrive as whole numbers, of which those above 0 are 2."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        return found.astype(np.int32) * 2 if host.dtype == np.bool_ else found


@wrong("groups/shapes")
class CutMessages(LocalGroup):
    """Of a message above 1 MB the rest is lost."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        found.reshape(self.size, -1)[:, 1 << 18 :] = 0
        return found


@wrong("groups/shapes")
class NoNumbers(LocalGroup):
    """A number alone becomes an array of one."""

    def gathered(self, host: Any) -> Any:
        return super().gathered(np.atleast_1d(host))


@wrong("groups/one_after_the_other")
class StaleBuffer(LocalGroup):
    """Results of one shape share a buffer, which the next collective fills."""

    def all_gather(self, x: Any) -> Any:
        found = super().all_gather(x)
        held: dict[Any, Any] = self.__dict__.setdefault("held", {})
        buffer = held.setdefault((found.shape, str(found.dtype)), found)
        buffer[...] = found
        return buffer


@wrong("groups/one_after_the_other")
class TheOneBefore(LocalGroup):
    """The third result of a shape is the second again."""

    def gathered(self, host: Any) -> Any:
        found = super().gathered(host)
        seen: list[Any] = self.__dict__.setdefault("seen", [])
        if host.shape != (5,):
            return found
        seen.append(found)
        return seen[-2] if len(seen) == 3 else found


@wrong("groups/computed_arrays")
class WholeBuffer(LocalGroup):
    """Of a part of an array the buffer is sent from its beginning."""

    def all_gather(self, x: Any) -> Any:
        base = x.base if isinstance(x.base, np.ndarray) and x.base.dtype == x.dtype else x
        start = np.ascontiguousarray(base).reshape(-1)[: x.size].reshape(x.shape)
        return super().all_gather(start)


@wrong("groups/numbers")
class AllAreFirst(LocalGroup):
    """Every process of the group believes to be the second."""

    def __init__(self, ops: Any, rank: int, size: int, meeting: Any) -> None:
        super().__init__(ops, rank, size, meeting)
        self.place, self.rank = rank, min(1, size - 1)

    def gathered(self, host: Any) -> Any:
        self.rank = self.place
        try:
            return super().gathered(host)
        finally:
            self.rank = 1


in_the_core(
    {
        "dtgcnn.array.distributed.world:World.sum": [
            (
                "the last process first",
                "total = gathered[0]\n    for rank in range(1, self.size):",
                "total = gathered[self.size - 1]\n    for rank in range(self.size - 1):",
                "groups/sums",
            ),
            ("its own process twice", "total + gathered[rank]", "total + x", "groups/sums"),
        ],
        "dtgcnn.array.distributed.world:World.broadcast": [
            ("always the first", "[root]", "[0]", "groups/broadcasts"),
            (
                "as a sum with zeros",
                "self.all_gather(name, x)[root]",
                "self.sum(name, x if self.rank == root else x * 0.0)",
                "groups/broadcasts",
            ),
        ],
        "dtgcnn.array.distributed.world:World.gather_values": [
            (
                "cut where they are long",
                "if words < SHORT_WORDS:",
                "if True:",
                "groups/values",
            ),
        ],
        "dtgcnn.array.distributed.world:World.from_first": [
            ("each decides by itself", 'return answer["value"]', "return make()",
             "groups/the_first_decides"),
            ("an error stays on the first", 'if "error" in answer:', "if False:",
             "groups/the_first_decides"),
        ],
        "dtgcnn.array.distributed.world:World.check_same": [
            ("nobody is refused", "!= told[0].get(key)", "is Ellipsis", "groups/unlike_things"),
        ],
        "dtgcnn.array.distributed.world:World.all_gather": [
            ("the shape is in no tag", "{tuple(x.shape)} ", "", "groups/different_ways"),
            ("no tags are compared", "if len(set(told)) > 1:", "if False:",
             "groups/different_ways"),
        ],
        "dtgcnn.array.distributed.sharing:shared_blocks": [
            (
                "every process makes all",
                "own = starts[cuts[world.rank] : cuts[world.rank + 1]]",
                "own = starts",
                "groups/blocks",
            ),
        ],
        "dtgcnn.array.distributed.sharing:gathered_rows": [
            ("the filling stays", "[:count]", "", "groups/blocks"),
            ("the rows that fill up are taken for rows", "[:count]", "", "groups/steps"),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep._with_mined": [
            (
                "each process mines for the first anchors",
                "+ starts[i]",
                "+ starts[i - cuts[world.rank]]",
                "groups/steps",
            ),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep.cached": [
            (
                "the parts in the order of their arrival",
                'self._parts_of("gradients", gradients, total, cuts):',
                'self._parts_of("gradients", gradients, total, cuts)[::-1]:',
                "groups/steps",
            ),
            (
                "the mean over processes",
                "total = _add(total, found, 1.0)",
                "total = _add(total, found, 1.0 / world.size)",
                "groups/steps",
            ),
            (
                "each process draws the first parts' dropout",
                "self._embed(params, still, parts[i], sources, keys[i])",
                "self._embed(params, still, parts[i], sources, keys[i - own[0]])",
                "groups/steps",
            ),
            (
                "every process adds its own loss's gradient",
                'total = self._parts_of("loss", given, total, first)[0]',
                "total = tree_map(lambda g: g * world.size, total)",
                "groups/losses_with_parameters",
            ),
        ],
    }
)  # fmt: skip
