"""A file's labels against its input vectors: which look wrong, and which rows are nearly equal."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import (
    Finding,
    RawData,
    TfidfEncoder,
    TripletDataset,
    check_encoder,
    read_file,
    standardized_columns,
)
from ..data.reading.equality import equal_groups
from ..errors import DataError
from .near_duplicates import NearDuplicates, near_duplicates
from .suspects import LabelSuspects, suspect_labels

if TYPE_CHECKING:
    from ..data import Encoder

__all__ = ["LabelCheck", "check_labels"]

_COLUMNS = 384
_KINDS = {
    "leak": "pairs of a row to train on and one that is not are nearly equal",
    "contradiction": "pairs of rows of two classes are nearly equal",
}


@dataclass(frozen=True)
class LabelCheck:
    """What was found in a file.

    Attributes:
        suspects: its labelled rows, the worst first.
        near: its nearly equal rows.
        rows: the same as ``suspects``, to read: of each its ``row`` as the file counts, ``place``,
            ``text`` (None of vectors), ``label``, ``suggested``, ``score`` and ``suspected``.
        left_out: places of rows that are the only ones of their class.
        findings: near-duplicates across training and other rows, and across classes.
        pairs: places of the first near-duplicates of each kind.
    """

    suspects: LabelSuspects
    near: NearDuplicates
    rows: list[dict[str, Any]]
    left_out: list[str]
    findings: list[Finding]
    pairs: dict[str, list[list[str]]]

    @property
    def suspected(self) -> int:
        """How many labels are suspected."""
        return int(self.suspects.suspected.sum())

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON's types."""
        own = {"suspected": self.suspected, "left_out": self.left_out, "rows": self.rows}
        near = {**vars(self.near), "pairs": self.pairs}
        return {"labels": own, "near_duplicates": near}


def check_labels(path: str | PathLike[str] | RawData, encoder: Encoder | None = None) -> LabelCheck:
    """Hold a file's labels against what ``suspect_labels`` and ``near_duplicates`` find.

    Args:
        path: labelled texts or vectors, of any kind that ``read_file`` reads; or what it gave.
        encoder: makes vectors of texts, having learnt from all of them; TF-IDF of 384 columns where
            there is none.

    Raises:
        DataError: the file cannot be read, has no labels, or fewer than two classes of two rows.
        ImportError: scikit-learn is not installed.
        ValueError: there is an encoder, and the rows are vectors.
    """
    if encoder is not None:
        check_encoder(encoder)
    raw = path if isinstance(path, RawData) else read_file(path)
    if raw.kind != "labelled":
        held = "triplets" if raw.kind == "triplets" else "rows without labels"
        raise raw.source.error(f"labels can be checked of labelled rows alone, it holds {held}")
    data = TripletDataset._from_raw(raw)
    assert data.labels is not None
    vectors: Any = data.features
    if data.texts is not None:
        encoder = TfidfEncoder(_COLUMNS) if encoder is None else encoder
        encoder.fit(data.texts)
        vectors = encoder.encode(data.texts)
    elif encoder is not None:
        raise ValueError(f"an encoder goes with texts, {raw.source.name} holds vectors")
    else:
        known = np.flatnonzero(data.labels >= 0)
        columns = standardized_columns(vectors[known], data.labels[known]) if len(known) else None
        vectors = vectors if columns is None else columns(vectors)
    try:
        suspects = suspect_labels(vectors, data.labels)
    except ValueError as error:
        raise DataError(f"{raw.source.name}: {error}") from None
    equal = equal_groups(data.texts, data.features)
    training = np.ones(len(equal), np.int64)
    if data.splits is not None:
        training[:] = 0
        training[data.split_items("train")] = 1
    inputs = vectors if data.texts is None else data.texts
    near = near_duplicates(inputs, equal, data.labels, training)
    return LabelCheck(
        suspects,
        near,
        _rows(raw, data, suspects),
        [_place(raw, row) for row in suspects.left_out.tolist()],
        _findings(raw, data, near),
        {k: [[_place(raw, row) for row in pair] for pair in p] for k, p in near.pairs.items()},
    )


def _place(raw: RawData, row: int) -> str:
    return raw.source.place(raw.rows[row])


def _name(data: TripletDataset, label: int) -> str:
    assert data.label_names is not None
    return data.label_names[label] if label >= 0 else "no label"


def _rows(raw: RawData, data: TripletDataset, s: LabelSuspects) -> list[dict[str, Any]]:
    assert data.labels is not None
    columns = (s.rows, s.suggested, s.scores, s.suspected)
    return [
        {
            "row": int(raw.rows[row]),
            "place": _place(raw, row),
            "text": None if data.texts is None else data.texts[row],
            "label": _name(data, int(data.labels[row])),
            "suggested": _name(data, suggested),
            "score": score,
            "suspected": suspected,
        }
        for row, suggested, score, suspected in zip(*(column.tolist() for column in columns))
    ]


def _findings(raw: RawData, data: TripletDataset, near: NearDuplicates) -> list[Finding]:
    labels = data.labels
    assert labels is not None
    found = []
    for kind, what in _KINDS.items():
        if near.counts[kind]:
            shown = tuple(
                " and ".join(f"{_place(raw, r)} ({_name(data, int(labels[r]))})" for r in pair)
                for pair in near.pairs[kind]
            )
            message = f"{near.counts[kind]} {what}, their cosine {near.bound} or more"
            unnamed = near.counts[kind] - len(shown)
            found.append(Finding("warning", f"near {kind}", message, shown, unnamed))
    return found
