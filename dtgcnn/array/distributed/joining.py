"""Joining the processes that a launcher started."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from ...errors import BackendError, DistributedError
from .. import ArrayOps
from .process_group import ProcessGroup
from .world import ALONE, World

__all__ = ["LAUNCHERS", "current_world", "joined"]

GROUP = "dtgcnn.groups"

LAUNCHERS = {
    "mlx.launch": ("MLX_RANK",),
    "torchrun": ("TORCHELASTIC_RUN_ID",),
    "mpiexec": ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"),
}
"""Launchers, and the variables of which they set one for the processes that they start."""

TIMEOUT = 600.0
"""Seconds that a process waits for the others in a collective, where no setting says."""

_world: World = ALONE
_backend = ""


def current_world() -> World:
    """The world that this process has joined; that of one where it has not."""
    return _world


def launcher() -> str | None:
    """What started this process as one of several; None where nothing did."""
    for name, variables in LAUNCHERS.items():
        if any(os.environ.get(variable) for variable in variables):
            return name
    return None


def joined(ops: ArrayOps, timeout: float | None = None) -> World:
    """The world of the processes that a launcher started, joined at the first call.

    Args:
        ops: the backend whose arrays will be gathered.
        timeout: seconds that each collective may wait for the others, from now on.

    Raises:
        DistributedError: the launcher is not one that this backend can be started by, its engine
            cannot be joined, or processes of two runs are connected with each other.
        BackendError: the engine cannot be loaded, such as where its library is missing.
    """
    global _world, _backend
    name = launcher()
    if name is None:
        return ALONE
    if not _backend:
        world = _join(ops, name, timeout or TIMEOUT)
        _world, _backend = world, ops.name
    elif ops.name != _backend:
        raise DistributedError(
            f"the processes were joined with the backend {_backend!r}, received {ops.name!r}"
        )
    if timeout is not None and _world.watch is not None:
        _world.watch.timeout = timeout
    return _world


def _join(ops: ArrayOps, name: str, timeout: float) -> World:
    from .watch import Watch, end_after

    points = {point.name: point for point in entry_points(group=GROUP)}
    if ops.name not in points:
        raise DistributedError(
            f"started by {name}, and the backend {ops.name!r} has no process group: only "
            f"{', '.join(sorted(points))} have one"
        )
    try:
        factory = points[ops.name].load()
    except Exception as error:  # of a foreign module
        raise BackendError(f"the process group of {ops.name!r} cannot be loaded: {error}") from None
    if name not in factory.launchers:
        raise DistributedError(
            f"started by {name}, and processes of the backend {ops.name!r} are started by "
            f"{' or '.join(factory.launchers)}"
        )
    with end_after(timeout, f"started by {name}, and the other processes could not be joined"):
        try:
            group: ProcessGroup = factory(ops)
        except RuntimeError as error:
            raise DistributedError(f"started by {name}, which cannot be joined: {error}") from error
        if group.size == 1:
            return ALONE
        world = World(ops, group)
        world.watch = Watch(world.rank, world.size, world.gather_values, timeout)
    return world
