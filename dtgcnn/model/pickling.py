"""Models that are made anew of what ``pickle`` was told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..array import load_ops
from ..errors import BackendError

if TYPE_CHECKING:
    from ..data import Encoder
    from ..storage import Checkpoint

__all__ = ["unpickled"]


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
