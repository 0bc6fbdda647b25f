"""Values that processes agree on, and how they notice that they do not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dtgcnn.array.distributed import World
from dtgcnn.errors import DistributedError

from ..comparison import require
from ..probe import Probe
from ..processes import together
from ..registry import check


@check("groups")
def numbers(probe: Probe) -> None:
    """Each process has a number of its own, from 0 to one below their count."""

    def process(world: World) -> None:
        told = world.gather_values("numbers", [world.rank, world.size])
        require(told == [[r, world.size] for r in range(world.size)], f"ranks and sizes are {told}")

    together(probe.ops, process)


@check("groups")
def values(probe: Probe) -> None:
    """Values of unlike lengths reach every process as they are."""

    def process(world: World) -> None:
        def given(rank: int) -> Any:
            return {"rank": rank, "text": "ä€" * 400 * rank, "figures": [0.1, None, True, 1e300]}

        for make in (given, lambda rank: rank, lambda rank: "x" * (503 + 3 * rank)):
            told = world.gather_values("values", make(world.rank))
            require(told == [make(r) for r in range(world.size)], f"rank {world.rank} has {told}")

    together(probe.ops, process)


@check("groups")
def the_first_decides(probe: Probe) -> None:
    """What the first process finds is what all have, an error too."""

    def process(world: World) -> None:
        calls: list[int] = []

        def decide() -> int:
            calls.append(world.rank)
            return world.rank + 7

        found = world.from_first("a decision", decide)
        require(found == 7 and calls == [0][world.rank :], f"{found}, found on ranks {calls}")

        def fail() -> None:
            raise ValueError(f"on rank {world.rank}")

        message = _error_of(lambda: world.from_first("an error", fail))
        require("on rank 0" in message, f"an error on rank 0 is {message!r} on rank {world.rank}")

    together(probe.ops, process)


@check("groups")
def unlike_things(probe: Probe) -> None:
    """Processes that were given unlike things are refused, each of them, and it says what."""

    def process(world: World) -> None:
        world.check_same("alike", {"seed": 1, "data": "abc"})
        message = _error_of(lambda: world.check_same("unlike", {"seed": 1, "rate": world.rank}))
        wanted = "the same rate: rank 0 has 0, rank 1 has 1"
        require(wanted in message, f"unlike rates give {message!r} on rank {world.rank}")
        missing = {"seed": 1} if world.rank else {"seed": 1, "more": 2}
        message = _error_of(lambda: world.check_same("missing", missing))
        require("the same more" in message, f"a thing that is not there gives {message!r}")

    together(probe.ops, process)


@check("groups")
def different_ways(probe: Probe) -> None:
    """Processes at different collectives get an error on each of them that says at which."""

    def process(world: World) -> None:
        first = world.rank == 0
        ways = {
            "name": ("one" if first else "other", np.ones(3, np.float32)),
            "shape": ("a shape", np.ones(3 if first else 4, np.float32)),
            "dtype": ("a dtype", np.ones(3, np.float32 if first else np.int32)),
        }
        for what, (name, host) in ways.items():
            message = _error_of(partial(world.all_gather, name, probe.array(host)))
            named = all(f"rank {r} at" in message for r in range(world.size))
            require(named, f"another {what} on rank 0 gives {message!r}")

    together(probe.ops, process)


def _error_of(call: Callable[[], object]) -> str:
    try:
        call()
    except (DistributedError, ValueError) as error:
        return str(error)
    return "no error"
