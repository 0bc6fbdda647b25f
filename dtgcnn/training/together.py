"""What the processes of a run agree on before its first step."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..array import ArrayOps
from ..array.distributed import World
from ..config import DTGCNNConfig
from .training_state import OF_THE_MACHINE, Place, TrainingState

__all__ = ["agreed", "shared_state", "with_parts"]


def with_parts(config: DTGCNNConfig, world: World, state: TrainingState | None) -> DTGCNNConfig:
    """The settings with the parts of a step that the processes share: those that are named, or of
    the run that is resumed, or as many as there are processes.

    Raises:
        ValueError: several processes would share one part; or the settings leave nothing to share.
    """
    parts = config.batch_parts
    if parts is None and state is not None:
        parts = state.config.get("batch_parts")
    if world.size == 1:
        return config.replace(batch_parts=parts)
    if parts is None and state is None:
        parts = world.size
    if (parts or 1) == 1:
        raise ValueError(
            f"batch_parts must be at least 2 for {world.size} processes to share a step, "
            f"{'received' if state is None else 'the run to be resumed has'} 1: another number "
            "gives other bits, so it is fixed when a run begins"
        )
    return config.replace(batch_parts=parts)


def agreed(
    world: World,
    config: DTGCNNConfig,
    data: str,
    model: dict[str, Any],
    frozen: list[str],
    made_with: dict[str, Any],
) -> None:
    """Refuse processes that were given unlike settings, data, models or versions.

    Raises:
        DistributedError: on every process; names what differs.
    """
    if world.size == 1:
        return
    own = {name: v for name, v in config.to_dict().items() if name not in OF_THE_MACHINE}
    versions = {n: v for n, v in made_with.items() if n not in ("threads", "device")}
    named = {f"setting {name}": value for name, value in own.items()}
    told = {**versions, **named, "model": model, "frozen parameters": frozen}
    told["data (a digest of them)"] = data
    world.check_same("what the run is", json.loads(json.dumps(told)))


def shared_state(world: World, ops: ArrayOps, state: TrainingState | None) -> TrainingState | None:
    """The state that rank 0 has found, on every process: theirs may lie on other disks."""
    if world.size == 1:
        return state
    told = None
    if state is not None:
        told = {n: v for n, v in vars(state).items() if n != "arrays"}
        told |= {"place": asdict(state.place)}
        told["arrays"] = {n: [list(a.shape), str(a.dtype)] for n, a in state.arrays.items()}
    told = world.gather_values("the state to go on from", told if world.is_first else None)[0]
    if told is None:
        return None
    arrays = {}
    for name, (shape, dtype) in told.pop("arrays").items():
        own = ops.zeros(tuple(shape), dtype)
        if state is not None and world.is_first:
            own = ops.asarray(state.arrays[name], dtype)
        arrays[name] = ops.to_numpy(world.broadcast(f"state of {name}", own))
    return TrainingState(**{**told, "place": Place(**told["place"])}, arrays=arrays)
