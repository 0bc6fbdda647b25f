"""``Embedder``: what a model and an ensemble of models have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..array import HostArray

__all__ = ["Embedder"]


class Embedder(Protocol):
    """What turns texts or vectors into embeddings: a ``DTGCNN`` or an ``Ensemble``."""

    def vectors(self, x: HostArray | Sequence[str]) -> HostArray:
        """What goes into it; see ``DTGCNN.vectors``."""
        ...

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training; see ``DTGCNN.input_vectors``."""
        ...

    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        """The places of host rows in the bank; see ``Classifier.bank_rows_of``."""
        ...

    def encode(self, x: HostArray | Sequence[str]) -> HostArray:
        """Embeddings; see ``DTGCNN.encode``."""
        ...
