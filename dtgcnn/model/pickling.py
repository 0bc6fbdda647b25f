"""Models that are made anew of what a saved folder or ``pickle`` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..array import ArrayOps, load_ops
from ..config import DTGCNNConfig
from ..errors import BackendError

if TYPE_CHECKING:
    from ..data import Encoder
    from ..storage import Checkpoint

__all__ = ["made_anew", "unpickled"]


def made_anew(kind: Any, config: DTGCNNConfig, ops: ArrayOps, arguments: Mapping[str, Any]) -> Any:
    """A model of class ``kind``, a user's own too, whose ``__init__`` may take the config alone:
    then the nearest class above it that takes ``ops`` brings the model onto them."""
    given = {**arguments, "ops": ops}
    model = kind(config, **_taken(kind, given))
    if model.ops is not ops:
        above = next(base for base in kind.__mro__ if "ops" in _taken(base, given))
        above.__init__(model, config, **_taken(above, given))
    return model


def _taken(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the named arguments that its ``__init__`` takes."""
    takes = signature(kind.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return given
    return {name: value for name, value in given.items() if name in takes}


def unpickled(
    kind: Any, backend: str, device: str, saved: Checkpoint, encoder: Encoder | None
) -> Any:
    """The model of class ``kind`` on the backend that it was on, or where that is not to be had on
    the one that is."""
    try:
        ops = load_ops(backend, device=device)
    except (BackendError, ValueError):
        ops = load_ops()
    model = kind.of_checkpoint(saved, ops)
    model.encoder = encoder
    return model
