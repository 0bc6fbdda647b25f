"""``Origin``: what a loaded model was before any further training."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from ..array import ArrayOps, Tree, flatten
from .start import Start

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """What training goes on from.

    Attributes:
        params, state: the parameters and the running state.
        start: the start, if any.
    """

    params: Tree
    state: Tree
    start: Start | None

    def digest(self, ops: ArrayOps) -> str:
        """A hash of all of its numbers, by which it is known again."""
        found = sha256()
        arrays = flatten(self.params, "params") | flatten(self.state, "state")
        if self.start is not None:
            arrays |= flatten(self.start.arrays, "start")
        for name in sorted(arrays):
            found.update(name.encode() + ops.to_numpy(arrays[name]).tobytes())
        return found.hexdigest()
