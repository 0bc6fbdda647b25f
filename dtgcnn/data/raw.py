"""Raw records: what a file or a call holds once every row of it has been checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import Source, shorten

__all__ = [
    "FloatArray",
    "IntArray",
    "Kind",
    "RawData",
    "Record",
    "from_records",
    "kind_of",
    "label_name",
]

FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
Kind: TypeAlias = Literal["triplets", "labelled", "texts"]
Record: TypeAlias = tuple[int, Mapping[str, object]]

TRIPLET_FIELDS = ("anchor", "positive", "negative")


@dataclass(frozen=True)
class RawData:
    """Checked records; exactly one of ``texts`` and ``features`` is there.

    Attributes:
        kind: "triplets", "labelled", or "texts" (items without labels, texts or features alike).
        source: names the origin in messages.
        texts: N texts, white space stripped at both ends.
        features: (N, D) float32, finite.
        labels: N class names, for kind "labelled".
        splits: N split names, where the source gives them.
        triplets: (T, 3) item indices (anchor, positive, negative), for kind "triplets".
        rows: the source's row number of each triplet, or of each item where there are none.
    """

    kind: Kind
    source: Source
    rows: Sequence[int]
    texts: list[str] | None = None
    features: FloatArray | None = None
    labels: list[str] | None = None
    splits: list[str] | None = None
    triplets: IntArray | None = None


def kind_of(source: Source, fields: Iterable[str], row: int | None = None) -> Kind:
    """What records with these fields are; further fields do not matter.

    Raises:
        DataError: the fields fit no kind, or a kind only in part; names those that are missing.
    """
    found = list(fields)
    if set(TRIPLET_FIELDS) & set(found):
        missing = [name for name in TRIPLET_FIELDS if name not in found]
        if missing:
            raise source.error(f"a triplet lacks {_listed(missing)}; found {_listed(found)}", row)
        return "triplets"
    if "text" not in found:
        raise source.error(
            "needs the fields anchor, positive and negative, or text and label (and split), "
            f"or text alone; found {_listed(found)}",
            row,
        )
    return "labelled" if "label" in found else "texts"


def from_records(source: Source, records: Sequence[Record]) -> RawData:
    """Check every record and bring together those of one kind.

    Raises:
        DataError: there are no records, or one lacks a field, has a blank one or one of the wrong
            type, or is a triplet whose negative equals its anchor or its positive.
    """
    if not records:
        raise source.error("holds no records")
    fields = {name: None for _, record in records for name in record}
    kind = kind_of(source, fields, records[0][0] if len(records) == 1 else None)
    rows = [row for row, _ in records]
    if kind == "triplets":
        texts, triplets = _triplets(source, records)
        return RawData(kind, source, rows, texts=texts, triplets=triplets)
    texts = [_text(source, row, record, "text") for row, record in records]
    labels = splits = None
    if kind == "labelled":
        labels = [label_name(source, row, _field(source, row, r, "label")) for row, r in records]
    if "split" in fields:
        splits = [_text(source, row, record, "split") for row, record in records]
    return RawData(kind, source, rows, texts=texts, labels=labels, splits=splits)


def label_name(source: Source, row: int, value: object, field: str = "label") -> str:
    """The name of a class: a string without outer white space, or a number as it prints."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise source.error(f"must be a string or a number, received {shorten(value)}", row, field)
    if isinstance(value, float) and not math.isfinite(value):
        raise source.error(f"must be finite, received {value}", row, field)
    return _stripped(source, row, value, field) if isinstance(value, str) else str(value)


def _triplets(source: Source, records: Sequence[Record]) -> tuple[list[str], IntArray]:
    """Distinct texts in order of appearance, and the (T, 3) indices into them."""
    index: dict[str, int] = {}
    triplets = np.empty((len(records), 3), np.int64)
    for t, (row, record) in enumerate(records):
        texts = [_text(source, row, record, name) for name in TRIPLET_FIELDS]
        triplets[t] = [index.setdefault(text, len(index)) for text in texts]
        for role, text in zip(TRIPLET_FIELDS[:2], texts[:2], strict=True):
            if text == texts[2]:
                raise source.error(
                    f"must differ from the {role}, received {shorten(text)} as both",
                    row,
                    "negative",
                )
    return list(index), triplets


def _text(source: Source, row: int, record: Mapping[str, object], field: str) -> str:
    value = _field(source, row, record, field)
    if isinstance(value, str):
        return _stripped(source, row, value, field)
    raise source.error(f"must be a string, received {shorten(value)}", row, field)


def _field(source: Source, row: int, record: Mapping[str, object], field: str) -> object:
    if field in record:
        return record[field]
    raise source.error(f"is missing; found {_listed(record)}", row, field)


def _stripped(source: Source, row: int, value: str, field: str) -> str:
    text = value.strip()
    if not text:
        raise source.error(f"must not be blank, received {shorten(value)}", row, field)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"must be valid Unicode, received {shorten(value)} ({error.reason})"
        raise source.error(message, row, field) from None
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name or "''" for name in names) or "none"
