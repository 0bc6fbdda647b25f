"""``Embedder``: what a model and an ensemble of models have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..array import HostArray
from ..config import DTGCNNConfig, refuse_unless
from .bank import Bank
from .classifier import VOTES, Answers
from .encoding import ENCODE_ROWS

if TYPE_CHECKING:
    from ..storage import IndexFile

__all__ = ["Embedder", "check_embedder"]


class Embedder(Protocol):
    """What turns texts or vectors into embeddings: a ``DTGCNN`` or an ``Ensemble``."""

    @property
    def config(self) -> DTGCNNConfig:
        """The settings, of an ensemble those of its first model."""
        ...

    @property
    def classes_(self) -> list[str] | None:
        """The names of the classes that it knows; see ``DTGCNN``."""
        ...

    def vectors(self, x: Any, prompt_name: str | None = None) -> HostArray:
        """What goes into it; see ``DTGCNN.vectors``."""
        ...

    def prompt_of(self, role: str) -> str | None:
        """The name of the encoder's prompt for "query" or "document"; see ``Encodes``."""
        ...

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training; see ``DTGCNN.input_vectors``."""
        ...

    @property
    def input_width(self) -> int:
        """Columns of ``input_vectors``."""
        ...

    def tells(self, host_x: HostArray) -> HostArray:
        """Which host rows say anything; see ``DTGCNN.tells``."""
        ...

    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        """The places of host rows in the bank; see ``Classifier.bank_rows_of``."""
        ...

    def get_embedding_dimension(self) -> int:
        """Columns of an embedding."""
        ...

    def embed(
        self,
        host_x: HostArray,
        batch_size: int = ENCODE_ROWS,
        advance: Callable[[int], None] | None = None,
    ) -> HostArray:
        """Embeddings of what ``vectors`` gave; see ``Encodes``."""
        ...

    def encode(self, x: Any, *, show_progress_bar: bool | None = False) -> HostArray:
        """Embeddings; see ``DTGCNN.encode``."""
        ...

    def answers(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> Answers:
        """Probabilities of classes, and scores; see ``Classifier.answers``."""
        ...

    def trained_bank(self) -> Bank:
        """The bank, of an ensemble that of its first model."""
        ...

    def bank_embeddings(self) -> HostArray:
        """Embeddings of the bank's rows; see ``DTGCNN.bank_embeddings``."""
        ...

    def index(self, corpus: HostArray | Sequence[str], *, hops: int = 3) -> Embedder:
        """The same over other rows; see ``DTGCNN.index``."""
        ...

    def save(
        self, directory: str | Path, *, overwrite: bool = False, index: IndexFile | None = None
    ) -> Path:
        """Write it into ``directory``; see ``DTGCNN.save``."""
        ...


def check_embedder(model: object) -> None:
    """Raise ``ValueError`` where ``model`` is no ``Embedder``."""
    rule = "must be a DTGCNN or an Ensemble, such as load_embedder gives"
    made = hasattr(model, "vectors") and not isinstance(model, type)
    refuse_unless(made, "model", rule, model)
