"""``Encodes``: asking a model, or several, for embeddings, as users of sentence-transformers do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..array import ArrayOps, HostArray, numerics
from ..config import check_whole

if TYPE_CHECKING:
    from ..data import Encoder

__all__ = ["ENCODE_ROWS", "Encodes"]

ENCODE_ROWS = 256
"""Rows encoded at a time. Blocks are padded to this height, so that a row's arithmetic, and with
it the last bit of its similarities, does not depend on how many rows came with it; but for a
backend to whose arithmetic the height is nothing."""


class Encodes(ABC):
    """What turns texts or vectors into embeddings: a ``DTGCNN`` or an ``Ensemble``."""

    encoder: Encoder | None
    """What makes vectors of texts."""
    ops: ArrayOps
    """The backend."""

    @abstractmethod
    def vectors(self, x: Any, prompt_name: str | None = None) -> HostArray:
        """What goes into it; see ``DTGCNN.vectors``."""

    @abstractmethod
    def embed(
        self,
        host_x: HostArray,
        batch_size: int = ENCODE_ROWS,
        advance: Callable[[int], None] | None = None,
    ) -> HostArray:
        """Embeddings (N, output_dim) of what ``vectors`` gave; ``advance`` is told how many are
        made."""

    @abstractmethod
    def get_embedding_dimension(self) -> int:
        """Columns of an embedding."""

    def get_sentence_embedding_dimension(self) -> int:
        """Columns of an embedding: the older name of ``get_embedding_dimension``."""
        return self.get_embedding_dimension()

    def encode(
        self,
        x: HostArray | Sequence[str] | str | Any,
        *,
        prompt_name: str | None = None,
        batch_size: int = ENCODE_ROWS,
        show_progress_bar: bool | None = False,
        convert_to_numpy: bool = True,
        normalize_embeddings: bool = False,
    ) -> HostArray:
        """Embeddings, float32, of texts or of vectors.

        Each row attaches to its nearest rows of the bank, so its embedding is the same alone, in
        any batch and in any order.

        Args:
            x: a text; or N texts or vectors (N, input_dim): a list, an array, a list of lists, or a
                column of pandas, polars or PyArrow.
            prompt_name: the prompt of the text encoder that goes before each text; its own default
                where not given.
            batch_size: rows at a time. On a backend whose arithmetic depends on it, the last bits
                may.
            show_progress_bar: whether to show one, on a terminal.
            convert_to_numpy: whether to return the host's array, or else the backend's.
            normalize_embeddings: bring rows to unit length; they are, unless the model was made
                with ``normalize_output=False``.

        Returns:
            (output_dim,) of a single text, or else (N, output_dim).

        Raises:
            ValueError: the model is not trained yet, ``x`` does not fit it, or there is no such
                prompt, or no text that it could go before.
        """
        check_whole("batch_size", batch_size, 1)
        if prompt_name is not None and not _are_texts(x):
            raise ValueError(f"prompt_name goes with texts, x holds none: received {prompt_name!r}")
        host_x = self.vectors(x, prompt_name)
        if show_progress_bar:
            from ..data import progress_bar

            with progress_bar("embedding", len(host_x), True) as advance:
                found = self.embed(host_x, batch_size, advance)
        else:
            found = self.embed(host_x, batch_size)
        if normalize_embeddings:
            ops = self.ops
            found = ops.to_numpy(numerics.l2_normalize(ops, ops.asarray(found)))
        if isinstance(x, str):
            found = found[0]
        return found if convert_to_numpy else self.ops.asarray(found)

    def encode_query(self, x: Any, **options: Any) -> HostArray:
        """``encode`` with the encoder's prompt ``"query"``, where it has one."""
        prompt = self.prompt_of("query") if _are_texts(x) else None
        return self.encode(x, **{"prompt_name": prompt, **options})

    def encode_document(self, x: Any, **options: Any) -> HostArray:
        """``encode`` with the encoder's prompt ``"document"``, where it has one."""
        prompt = self.prompt_of("document") if _are_texts(x) else None
        return self.encode(x, **{"prompt_name": prompt, **options})

    def prompt_of(self, role: str) -> str | None:
        """``role`` where the text encoder has a prompt of that name, or else None."""
        return role if getattr(self.encoder, "prompts", {}).get(role) else None

    def similarity(self, a: Any, b: Any) -> HostArray:
        """The cosines (N, M) of embeddings (N, D) with others (M, D), float32; one embedding (D,)
        is a row, and lists of numbers are embeddings. Those of a zero row are 0.

        Raises:
            ValueError: the shapes do not fit, or a number is not finite.
        """
        from ..data import as_inputs, in_single

        ops, units = self.ops, []
        for name, given in (("a", a), ("b", b)):
            flat = given.tolist() if getattr(given, "ndim", 2) == 1 else given
            if isinstance(flat, list | tuple) and all(isinstance(n, int | float) for n in flat):
                given = [flat]
            rows: Any = as_inputs(given, name)
            if isinstance(rows, list) or rows.ndim != 2:
                raise ValueError(f"{name} must be embeddings of shape (N, D) or (D,)")
            on_device = ops.asarray(in_single(rows))
            if ops.to_numpy(ops.sum(~ops.isfinite(on_device), axis=1)).any():
                raise ValueError(f"{name} must be finite, it holds nan or infinity")
            units.append(numerics.l2_normalize(ops, on_device))
        if units[0].shape[1] != units[1].shape[1]:
            raise ValueError(
                "a and b must have equal widths, received "
                f"{units[0].shape[1]} and {units[1].shape[1]}"
            )
        return ops.to_numpy(units[0] @ ops.permute_dims(units[1], (1, 0)))

    def export(
        self,
        directory: str | Path,
        *,
        to: Literal["sentence-transformers"] = "sentence-transformers",
        overwrite: bool = False,
    ) -> Path:
        """Write a folder that another library loads the model from, as by
        ``SentenceTransformer(directory, trust_remote_code=True)``.

        Its code calls dtgcnn, which must be installed there.

        Args:
            directory: new, empty, or an export that ``overwrite`` replaces.
            to: the library.
            overwrite: whether it may hold an export.

        Raises:
            FileExistsError, NotADirectoryError, PermissionError: see ``save``.
            ValueError: ``to`` is unknown, or the model takes vectors and not texts.
        """
        from ..storage import export_sentence_transformers

        if to != "sentence-transformers":
            raise ValueError(f"to must be 'sentence-transformers', received {to!r}")
        return export_sentence_transformers(directory, self, overwrite)


def _are_texts(x: Any) -> bool:
    from ..data import texts_of

    return isinstance(x, str) or texts_of(x) is not None
