"""``SearchIndex``: rows that are searched again and again by a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..array import HostArray
from ..config import check_whole, refuse_unknown
from ..data import Items, as_inputs, check_items
from ..errors import CheckpointError
from ..model import DTGCNN, Bank, Embedder, check_embedder
from ..storage import (
    IndexFile,
    PackedTexts,
    holds_ensemble,
    main_file,
    of_one_save,
    packed,
    read_index,
)
from .approximate import RowGraph, write_graph
from .fusion import interleaved
from .metrics import unit_float32, unit_rows
from .nearest import NearRows

__all__ = ["Hit", "Ranking", "SearchIndex"]

Ranking = Literal["both", "embedding", "input"]

QUERIES = 32
"""Queries compared with all rows at a time, which bounds the similarities that are held."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Hit:
    """A row that was found.

    Attributes:
        row: its number in what was indexed, from 0.
        text: its text, None where vectors were indexed.
        label: its class, None where that is not known.
        embedding: the cosine of its embedding with the query's.
        input: the cosine of the vectors that go in.
    """

    row: int
    text: str | None
    label: str | None
    embedding: float
    input: float


class SearchIndex:
    """Rows that are searched by a model, by their embeddings and by the vectors that go in.

    Args:
        model: what embeds queries.
        embeddings, inputs: float32 of the rows, at unit length or zero: (N, D), and
            (N, ``model.input_width``).
        texts: of the rows; None where they are vectors.
        labels: (N,) the rows' classes as indices into ``label_names``, −1 where it is not known;
            None where none is.
        label_names: the names of the classes.
    """

    def __init__(
        self,
        model: Embedder,
        embeddings: Floats,
        inputs: Floats,
        texts: Sequence[str] | None = None,
        labels: NDArray[np.integer[Any]] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.model, self.embeddings, self.inputs = model, embeddings, inputs
        self.texts, self.labels, self.label_names = texts, labels, label_names
        self._near = NearRows(embeddings, ordered=True), NearRows(inputs)

    @classmethod
    def build(cls, model: Embedder, data: Items, *, hops: int = 3) -> SearchIndex:
        """The index of all rows of ``data`` for ``model.index(data.inputs, hops=hops)``, whose bank
        holds equal rows once.

        Raises:
            ValueError: as ``DTGCNN.index``.
        """
        host_x = cls._vectors(model, data)
        indexed = model.index(host_x, hops=hops)
        rows = indexed.trained_bank().rows_of(host_x)
        return cls._of(indexed, data, indexed.bank_embeddings()[rows], host_x)

    @classmethod
    def over(cls, model: Embedder, data: Items) -> SearchIndex:
        """The index of all rows of ``data`` as ``model``, a ``DTGCNN`` or an ``Ensemble``, encodes
        them, with the bank that it has."""
        host_x = cls._vectors(model, data)
        return cls._of(model, data, model.embed(host_x), host_x)

    @staticmethod
    def _vectors(model: Embedder, data: Items) -> HostArray:
        check_embedder(model)
        check_items("data", data)
        return model.vectors(data.inputs, model.prompt_of("document"))

    @classmethod
    def _of(cls, model: Embedder, data: Items, embeddings: Floats, x: HostArray) -> SearchIndex:
        embeddings, inputs = unit_float32(embeddings), unit_float32(model.input_vectors(x))
        return cls(model, embeddings, inputs, data.texts, data.labels, data.label_names)

    def __len__(self) -> int:
        return len(self.embeddings)

    def search(
        self, queries: HostArray | Sequence[str], top: int = 10, by: Ranking = "both"
    ) -> list[list[Hit]]:
        """The rows that are nearest to each query by cosine, the best first; of equally near ones
        the first row of the index comes first.

        All rows are compared with, in float32, and those that may be among the nearest in float64.

        Args:
            queries: texts, or vectors (Q, input_dim).
            top: rows for each query; fewer where there are fewer.
            by: whose ranking: the embedding's, that of the vectors that go in, or both by turns
                (see ``interleaved``).

        Raises:
            ValueError: an argument is out of its range, a query is blank, or its vector is zero, as
                that of a text of which the encoder knows no word is.
        """
        top = check_whole("top", top, 1)
        refuse_unknown("by", by, get_args(Ranking))
        named: Any = [queries] if isinstance(queries, str) else as_inputs(queries, "queries")
        for number, query in enumerate(named if isinstance(named, list) else []):
            if not query.strip():
                raise ValueError(f"query {number} must not be empty")
        if isinstance(named, list) and not named:
            return []
        x = self.model.vectors(named, self.model.prompt_of("query"))
        found: list[list[Hit]] = []
        for start in range(0, len(x), QUERIES):
            found += self._search(named, x[start : start + QUERIES], start, top, by)
        return found

    def _search(
        self, queries: Any, x: HostArray, first: int, top: int, by: Ranking
    ) -> list[list[Hit]]:
        zero = np.flatnonzero(~self.model.tells(x))
        if len(zero):
            number = first + zero[0]
            query = queries[number]
            why = f": the encoder knows no word of {query!r}" if isinstance(query, str) else ""
            raise ValueError(f"query {number} has a zero vector, near to no row{why}")
        units = (unit_rows(of(x)) for of in (self.model.embed, self.model.input_vectors))
        views = tuple(zip(self._near, units, strict=True))
        used = {"embedding": views[:1], "input": views[1:]}.get(by, views)
        rankings = [near.nearest(unit, min(top, len(self))) for near, unit in used]
        hits = []
        for number, ranked in enumerate(zip(*rankings, strict=True)):
            rows = interleaved(ranked[0], ranked[-1], top)
            cosines = [near.cosines(rows, unit[number]) for near, unit in views]
            hits.append([self._hit(*found) for found in zip(rows, *cosines, strict=True)])
        return hits

    def _hit(self, row: int, embedding: float, given: float) -> Hit:
        label = None
        if self.labels is not None and self.label_names is not None and self.labels[row] >= 0:
            label = self.label_names[self.labels[row]]
        text = None if self.texts is None else self.texts[row]
        return Hit(int(row), text, label, float(embedding), float(given))

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the index and its model into ``directory``, a model folder like any other, from
        which ``DTGCNN.load``, or ``Ensemble.load``, takes the model alone.

        Raises:
            FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
        """
        arrays: dict[str, Any] = {"embeddings": self.embeddings, "inputs": self.inputs}
        digests, *others = (bank.digests for bank in _banks_of(self.model))
        if all(own == digests for own in others):  # or members drew banks of rows of their own
            arrays["digests"] = np.frombuffer(digests, np.uint8)
        if self.labels is not None and self.label_names is not None:
            arrays["labels"] = np.asarray(self.labels, np.int32)
        if self.texts is not None:
            arrays["texts"], arrays["text_ends"] = packed(self.texts)
        names = None if self.label_names is None else list(self.label_names)
        index = IndexFile(arrays, {"label_names": names})
        return self.model.save(directory, overwrite=overwrite, index=index)

    def export(self, path: str | Path) -> Path:
        """Write an approximate index of the embeddings, which ``approximate`` and other programs
        can read; see ``write_graph``."""
        write_graph(Path(path), self.embeddings)
        return Path(path)

    def approximate(self, path: str | Path) -> None:
        """Rank by the embedding among the rows that the graph in ``path`` finds, from now on.

        Most of the nearest are found, without comparing with all rows. The ranking of the vectors
        that go in stays exact.

        Raises:
            CheckpointError, MissingExtraError: see ``RowGraph``.
        """
        self._near[0].graph = RowGraph(Path(path), self.embeddings)

    @classmethod
    def load(
        cls, directory: str | Path, *, backend: str = "auto", model: Embedder | None = None
    ) -> SearchIndex:
        """The index that was saved in ``directory``, its arrays mapped from their files.

        Args:
            directory: where it was saved.
            backend: of the model that is loaded.
            model: what was saved there, as it must be given where that is an ensemble.

        Raises:
            CheckpointError: there is none, a file is missing, cut short or another model's, or an
                array is missing or of another shape than it must be; or it is over an ensemble, and
                ``model`` is not given.
        """
        main = main_file(directory)
        return of_one_save(main, lambda: cls._read(directory, read_index(main), backend, model))

    @classmethod
    def _read(
        cls, directory: str | Path, saved: IndexFile, backend: str, model: Embedder | None
    ) -> SearchIndex:
        if model is None and holds_ensemble(directory):
            raise CheckpointError(
                f"{directory}: must come with its model, as it is over an ensemble: "
                "SearchIndex.load(directory, model=Ensemble.load(directory))"
            )
        model = DTGCNN.load(directory, backend=backend, mapped=True) if model is None else model
        check_embedder(model)
        rows = len(saved.array("embeddings", (None, model.get_embedding_dimension())))
        for bank in _banks_of(model) if "digests" in saved.arrays else ():
            digests = saved.array("digests", (bank.DIGEST_SIZE * len(bank),))
            bank.saved_digests = digests.tobytes()
        texts: Sequence[str] | None = None
        if "texts" in saved.arrays:
            texts = PackedTexts(saved.array("texts", (None,)), saved.array("text_ends", (rows,)))
        labels, names = None, saved.metadata.get("label_names")
        if names is not None and "labels" in saved.arrays:
            labels = saved.array("labels", (rows,))
            if rows and not -1 <= labels.min() <= labels.max() < len(names):
                raise CheckpointError(f"{saved.path}: 'labels' must number its classes")
        inputs = saved.array("inputs", (rows, model.input_width))
        return cls(model, saved.arrays["embeddings"], inputs, texts, labels, names)


def _banks_of(model: Embedder) -> list[Bank]:
    """The bank of a model, or those of an ensemble's models."""
    return [one.trained_bank() for one in getattr(model, "models", [model])]
