"""``SearchIndex``: rows that are searched again and again by a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..array import HostArray
from ..data import Items
from ..errors import CheckpointError, MissingExtraError
from ..model import DTGCNN, Embedder
from ..storage import (
    WEIGHTS,
    IndexFile,
    PackedTexts,
    model_card,
    packed,
    read_index,
    replace_file,
    write_checkpoint,
)
from .fusion import interleaved
from .metrics import unit_rows

__all__ = ["Hit", "Ranking", "SearchIndex"]

Ranking = Literal["both", "embedding", "input"]

QUERIES = 32
"""Queries compared with all rows at a time, which bounds the similarities that are held."""

ROUNDING = 1e-4
"""More than twice what a float32 cosine of some hundred columns can be wrong by: n · 2⁻²⁴ for n."""

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
        embeddings, inputs: (N, D) and (N, input_dim) float32 of the rows, at unit length or zero.
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

    @classmethod
    def build(cls, model: DTGCNN, data: Items, *, hops: int = 3) -> SearchIndex:
        """The index of all rows of ``data`` for ``model.index(data.inputs, hops=hops)``, whose bank
        holds equal rows once.

        Raises:
            ValueError: as ``DTGCNN.index``.
        """
        host_x = model.vectors(data.inputs)
        indexed = model.index(host_x, hops=hops)
        embeddings = indexed.bank_embeddings()[indexed.trained_bank().rows_of(host_x)]
        return cls._of(indexed, data, embeddings, host_x)

    @classmethod
    def over(cls, model: Embedder, data: Items) -> SearchIndex:
        """The index of all rows of ``data`` as ``model``, a ``DTGCNN`` or an ``Ensemble``, encodes
        them, with the bank that it has."""
        host_x = model.vectors(data.inputs)
        return cls._of(model, data, model.encode(host_x), host_x)

    @classmethod
    def _of(cls, model: Embedder, data: Items, embeddings: Floats, x: HostArray) -> SearchIndex:
        views = (embeddings, model.input_vectors(x))
        embeddings, inputs = (unit_rows(view).astype(np.float32) for view in views)
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
        if top < 1:
            raise ValueError(f"top must be at least 1, received {top}")
        if by not in get_args(Ranking):
            raise ValueError(f"by must be one of {', '.join(get_args(Ranking))}, received {by!r}")
        named = [queries] if isinstance(queries, str) else queries
        found: list[list[Hit]] = []
        for start in range(0, len(named), QUERIES):
            found += self._search(named[start : start + QUERIES], start, top, by)
        return found

    def _search(
        self, queries: HostArray | Sequence[str], first: int, top: int, by: Ranking
    ) -> list[list[Hit]]:
        for number, query in enumerate(queries, first):
            if isinstance(query, str) and not query.strip():
                raise ValueError(f"query {number} must not be empty")
        x = self.model.vectors(queries)
        given = self.model.input_vectors(x)
        zero = np.flatnonzero(~given.any(axis=1))
        if len(zero):
            query = queries[zero[0]]
            why = f": the encoder knows no word of {query!r}" if isinstance(query, str) else ""
            raise ValueError(f"query {first + zero[0]} has a zero vector, near to no row{why}")
        views = (self.embeddings, unit_rows(self.model.encode(x))), (self.inputs, unit_rows(given))
        used = {"embedding": views[:1], "input": views[1:]}.get(by, views)
        rankings = [_nearest(rows, units, min(top, len(self))) for rows, units in used]
        hits = []
        for number, ranked in enumerate(zip(*rankings, strict=True)):
            rows = interleaved(ranked[0], ranked[-1], top)
            cosines = [_cosines(view[rows], units[number]) for view, units in views]
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
        which ``DTGCNN.load`` takes the model alone.

        Raises:
            ValueError: it is the index of an ensemble.
            FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
        """
        model = self.model
        if not isinstance(model, DTGCNN) or model.bank is None:
            raise ValueError("the index of an ensemble cannot be saved, only that of a DTGCNN")
        digests = np.frombuffer(model.bank.digests, np.uint8)
        arrays = {"embeddings": self.embeddings, "inputs": self.inputs, "digests": digests}
        if self.labels is not None and self.label_names is not None:
            arrays["labels"] = np.asarray(self.labels, np.int32)
        if self.texts is not None:
            arrays["texts"], arrays["text_ends"] = packed(self.texts)
        names = None if self.label_names is None else list(self.label_names)
        return write_checkpoint(
            directory,
            model.checkpoint(),
            model_card(model),
            model.encoder,
            overwrite=overwrite,
            index=IndexFile(arrays, {"label_names": names}),
        )

    def export(self, path: str | Path) -> Path:
        """Write an approximate index of the embeddings that other programs can read: usearch's
        HNSW graph (Malkov & Yashunin 2016, arXiv:1603.09320), by cosine, its keys the rows.

        Raises:
            MissingExtraError: usearch is not installed.
            OSError: it cannot be written; what was at ``path`` is as it was.
        """
        try:
            from usearch.index import Index
        except ImportError as error:
            raise MissingExtraError(
                "an export needs usearch: pip install 'dtgcnn[usearch]'"
            ) from error
        graph, path = Index(ndim=self.embeddings.shape[1], metric="cos", dtype="f32"), Path(path)
        graph.add(np.arange(len(self), dtype=np.uint64), np.array(self.embeddings))
        replace_file(path, bytes(graph.save()))
        return path

    @classmethod
    def load(cls, directory: str | Path, *, backend: str = "auto") -> SearchIndex:
        """The index that was saved in ``directory``, its arrays mapped from their files.

        Raises:
            CheckpointError: there is none, a file is missing, cut short or another model's, or an
                array is missing or of another shape than it must be.
        """
        saved = read_index(Path(directory) / WEIGHTS)
        model = DTGCNN.load(directory, backend=backend, mapped=True)
        bank, config = model.trained_bank(), model.config
        rows = len(saved.array("embeddings", (None, config.output_dim)))
        bank.saved_digests = saved.array("digests", (bank.DIGEST_SIZE * len(bank),)).tobytes()
        texts: Sequence[str] | None = None
        if "texts" in saved.arrays:
            texts = PackedTexts(saved.array("texts", (None,)), saved.array("text_ends", (rows,)))
        labels, names = None, saved.metadata.get("label_names")
        if names is not None and "labels" in saved.arrays:
            labels = saved.array("labels", (rows,))
            if rows and not -1 <= labels.min() <= labels.max() < len(names):
                raise CheckpointError(f"{saved.path}: 'labels' must number its classes")
        inputs = saved.array("inputs", (rows, config.input_dim))
        return cls(model, saved.arrays["embeddings"], inputs, texts, labels, names)


def _nearest(rows: Floats, queries: Floats, count: int) -> list[NDArray[np.int64]]:
    """The ``count`` rows of greatest cosine with each query, in descending order, exactly."""
    similar = queries.astype(np.float32) @ rows.T
    found = []
    for query, cosines in zip(queries, similar, strict=True):
        least = np.partition(cosines, len(cosines) - count)[len(cosines) - count]
        near = np.flatnonzero(cosines >= least - ROUNDING)
        order = np.argsort(-_cosines(rows[near], query), kind="stable")[:count]
        found.append(near[order])
    return found


def _cosines(rows: Floats, query: Floats) -> NDArray[np.float64]:
    """In float64, by sums that give equal rows equal bits, which a product does not."""
    products = rows.astype(np.float64) * query
    cosines: NDArray[np.float64] = products.sum(axis=1)
    return cosines
