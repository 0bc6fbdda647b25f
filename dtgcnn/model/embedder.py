"""``Embedder``: what a model and an ensemble of models have in common."""

from __future__ import annotations

from typing import Any, Protocol

from ..array import HostArray

__all__ = ["Embedder"]


class Embedder(Protocol):
    """What turns texts or vectors into embeddings: a ``DTGCNN`` or an ``Ensemble``."""

    def vectors(self, x: Any, prompt_name: str | None = None) -> HostArray:
        """What goes into it; see ``DTGCNN.vectors``."""
        ...

    def prompt_of(self, role: str) -> str | None:
        """The name of the encoder's prompt for "query" or "document"; see ``Encodes``."""
        ...

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training; see ``DTGCNN.input_vectors``."""
        ...

    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        """The places of host rows in the bank; see ``Classifier.bank_rows_of``."""
        ...

    def encode(self, x: Any) -> HostArray:
        """Embeddings; see ``DTGCNN.encode``."""
        ...
