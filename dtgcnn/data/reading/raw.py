"""Raw records: what a file or a call holds once every row of it has been checked."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .limits import text_limit
from .source import Source, shorten
from .vectors import FloatArray, VectorRule, is_vector

__all__ = [
    "UNLABELLED",
    "FloatArray",
    "IntArray",
    "Kind",
    "RawData",
    "Record",
    "Rules",
    "TextRule",
    "class_name",
    "from_records",
    "is_minus_one",
    "kind_of",
    "label_name",
    "listed",
    "no_label",
    "tell_minus_one",
    "unread",
]

IntArray: TypeAlias = NDArray[np.int64]
Kind: TypeAlias = Literal["triplets", "labelled", "texts"]
Record: TypeAlias = tuple[int, Mapping[str, object]]

UNLABELLED = ""
"""The class name of a row whose class is not known."""

TRIPLET_FIELDS = ("anchor", "positive", "negative")
_FIELDS: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "triplets": (TRIPLET_FIELDS, ("group",)),
    "labelled": (("text", "label"), ("split", "group")),
    "texts": (("text",), ("split", "group")),
}
"""Those that records of a kind must have, and those that all of them or none may have."""

_LONGEST = 60
"""Letters of a name that a message shows as it is: the longest of Banking77's classes has 48."""

_log = logging.getLogger("dtgcnn")

# What a mangled quotation mark or a terminal leaves in a text. Only a NUL means that it is none.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SPACED = re.compile(r"[\x01-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class RawData:
    """Checked records; exactly one of ``texts`` and ``features`` is there.

    Attributes:
        kind: "triplets", "labelled", or "texts" (items without labels, texts or features alike).
        source: names the origin in messages.
        texts: N texts, white space stripped at both ends.
        features: (N, D) float32, finite.
        labels: N class names, for kind "labelled"; ``UNLABELLED`` where the class is not known.
        splits: N split names, where the source gives them.
        groups: the names of groups that no split may part: of each triplet, or of each item where
            there are none; where the source gives them.
        equal: (N,) numbers, the same for texts that are equal, where the texts are not kept.
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
    groups: list[str] | None = None
    equal: IntArray | None = None

    def require_label(self) -> None:
        """Refuse labels of which none is known."""
        if self.labels is not None and not any(self.labels):
            raise no_label(self.source)

    def only(self, items: Iterable[int], rows: Iterable[int]) -> RawData:
        """Some items, and of ``rows`` and ``groups`` those at ``rows``; triplets stay as they are,
        to be numbered anew."""
        items, rows = list(items), list(rows)

        def at(places: list[int], values: Sequence[Any] | None) -> list[Any] | None:
            return None if values is None else [values[place] for place in places]

        return replace(
            self,
            rows=[self.rows[row] for row in rows],
            texts=at(items, self.texts),
            features=None if self.features is None else self.features[items],
            labels=at(items, self.labels),
            splits=at(items, self.splits),
            groups=at(rows, self.groups),
        )


def no_label(source: Source) -> DataError:
    """The error where no row has a label."""
    return source.error(
        "holds no label: every one is blank, null or -1, which stand for a class that is not "
        "known; leave the column out where there are none",
        field="label",
    )


def kind_of(source: Source, fields: Iterable[str], row: int | None = None) -> Kind:
    """What records with these fields are; further fields do not matter.

    Raises:
        DataError: the fields fit no kind, or a kind only in part; names those that are missing.
    """
    found = list(fields)
    if set(TRIPLET_FIELDS) & set(found):
        missing = [name for name in TRIPLET_FIELDS if name not in found]
        if missing:
            raise source.error(f"a triplet lacks {listed(missing)}; found {listed(found)}", row)
        return "triplets"
    if "text" not in found:
        columns = "" if source.header is None else " (the first row of a table names its columns)"
        raise source.error(
            "needs the fields anchor, positive and negative, or text and label (and split), "
            f"or text alone; found {listed(found)}{columns}; others are named by "
            "columns={'text': …, 'label': …}, or --text-column and --label-column",
            row,
        )
    return "labelled" if "label" in found else "texts"


class TextRule:
    """What every text of a source must be."""

    def __init__(self, source: Source) -> None:
        self._source, self._told = source, False

    def check(self, row: int, value: object, field: str) -> str:
        """The text without outer white space. Control characters become spaces; the first one is
        told of.

        Raises:
            DataError: it is no string, blank, too long, no valid Unicode, or holds a NUL.
        """
        if not isinstance(value, str):
            raise self._source.error(f"must be a string, received {shorten(value)}", row, field)
        found = _SPACED.search(value)
        if found is None:
            return _stripped(self._source, row, value, field)
        text = _stripped(self._source, row, _SPACED.sub(" ", value), field)
        if not self._told:
            place = f"{self._source.name}: {self._source.place(row)}: {field!r}"
            what = f"{found[0]!r} at {found.start()} is read as a space"
            _log.warning("%s: %s, as are all control characters", place, what)
            self._told = True
        return text


class Rules:
    """What every record must hold, as the first one decides it.

    Attributes:
        kind: what the records are.
        fields: those that matter, the same for all records.
        minus_ones: how many labels were −1, and read as not known.
        vectors: the rule of what "text" holds, where that is vectors.
    """

    kind: Kind
    minus_ones = 0
    fields: tuple[str, ...] = ()
    vectors: VectorRule | None = None
    _absent: Sequence[str] = ()

    def __init__(self, source: Source) -> None:
        self.source = source
        self._texts = TextRule(source)

    def check(self, row: int, record: Mapping[str, object]) -> list[Any]:
        """The values of ``fields`` in a record: texts without outer white space, or vectors, and
        names.

        Raises:
            DataError: it lacks a field, has one that the first record lacks, a blank one or one of
                the wrong type, or is a triplet whose negative equals its anchor or its positive.
        """
        if not self.fields:
            self._begin(row, record)
        values = [self._value(row, record, name) for name in self.fields]
        for name in self._absent:
            if name in record:
                raise self.source.error("is given here, but not in the first record", row, name)
        if self.kind == "triplets":
            self._check_negative(row, values)
        return values

    def _begin(self, row: int, record: Mapping[str, object]) -> None:
        place = row if self.source.header is None else self.source.header
        self.kind = kind_of(self.source, record, place)
        required, optional = _FIELDS[self.kind]
        self.fields = (*required, *(name for name in optional if name in record))
        if is_vector(record.get("text")):
            self.vectors = VectorRule(self.source)
        if self.kind == "triplets" and is_vector(record["anchor"]):
            raise self.source.error(
                "holds a vector, and triplets of vectors come as the arrays anchor, positive and "
                "negative, each (T, D): of an .npz or .safetensors file, or of a dict that "
                "TripletDataset.from_table takes",
                row,
                "anchor",
            )
        possible = optional if self.kind == "triplets" else (*optional, "label")
        self._absent = [name for name in possible if name not in self.fields]

    def _value(self, row: int, record: Mapping[str, object], name: str) -> Any:
        if name not in record:
            raise self.source.error(f"is missing; found {listed(record)}", row, name)
        value = record[name]
        if name == "label":
            found = class_name(self.source, row, value)
            self.minus_ones += found == UNLABELLED and is_minus_one(value)
            return found
        if name == "group":
            return label_name(self.source, row, value, name)
        if name == "text" and self.vectors is not None:
            return self.vectors.check(row, value, name)
        return self._texts.check(row, value, name)

    def _check_negative(self, row: int, texts: Sequence[str]) -> None:
        for role, text in zip(TRIPLET_FIELDS[:2], texts[:2], strict=True):
            if text == texts[2]:
                raise self.source.error(
                    f"must differ from the {role}, received {shorten(text)} as both",
                    row,
                    "negative",
                )


def from_records(source: Source, records: Iterable[Record]) -> RawData:
    """Check every record and bring them together.

    Raises:
        DataError: there are no records, or one breaks a rule; see ``Rules.check``.
    """
    source.tell()
    rules = Rules(source)
    rows: list[int] = []
    checked: list[list[Any]] = []
    for row, record in records:
        checked.append(rules.check(row, record))
        rows.append(row)
    if not rows:
        raise source.error("holds no records")
    columns = dict(zip(rules.fields, map(list, zip(*checked, strict=True)), strict=True))
    groups = columns.get("group")
    if rules.kind == "triplets":
        texts, triplets = _triplets([columns[name] for name in TRIPLET_FIELDS])
        return RawData("triplets", source, rows, texts, triplets=triplets, groups=groups)
    labels, splits = columns.get("label"), columns.get("split")
    tell_minus_one(source, labels or [], rules.minus_ones)
    raw = RawData(rules.kind, source, rows, labels=labels, splits=splits, groups=groups)
    if rules.vectors is not None:
        return replace(raw, features=np.stack(columns["text"]))
    return replace(raw, texts=columns["text"])


def class_name(source: Source, row: int, value: object, field: str = "label") -> str:
    """The name of a class, see ``label_name``; ``UNLABELLED`` where it is blank, null, NaN or, as
    in scikit-learn, −1."""
    if isinstance(value, np.generic):
        value = value.item()
    blank = isinstance(value, str) and not value.strip()
    null = value is None or type(value).__name__ == "NAType"  # pandas' own
    if null or blank or (isinstance(value, float) and math.isnan(value)) or is_minus_one(value):
        return UNLABELLED
    return label_name(source, row, value, field)


def is_minus_one(value: object) -> bool:
    """Whether a label is −1, as a number or a string, such as a table of floats has."""
    return str(value).strip() in ("-1", "-1.0")


def tell_minus_one(source: Source, names: Iterable[str], count: int) -> None:
    """Warn where ``count`` rows of −1 are read as unlabelled and the classes of all rows are 0 and
    1: it may have been meant for a third class."""
    if count and set(names) <= {"0", "1", "0.0", "1.0", UNLABELLED}:
        told = "rows have the label -1 and are read as unlabelled, beside 0 and 1"
        why = "if it is a class of its own, give it a name"
        _log.warning("%s: %s %s; %s", source.name, f"{count:,}", told, why)


def label_name(source: Source, row: int, value: object, field: str = "label") -> str:
    """The name of a class: a string without outer white space, or a number as it prints."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise source.error(f"must be a string or a number, received {shorten(value)}", row, field)
    if isinstance(value, float) and not math.isfinite(value):
        raise source.error(f"must be finite, received {value}", row, field)
    if isinstance(value, str):
        return _stripped(source, row, value, field)
    # 1 and 1.0 are one number, so they are one class.
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if whole else value)


def _triplets(roles: Sequence[Sequence[str]]) -> tuple[list[str], IntArray]:
    """Distinct texts in order of appearance, and the (T, 3) indices into them."""
    index: dict[str, int] = {}
    triplets = [
        [index.setdefault(text, len(index)) for text in texts] for texts in zip(*roles, strict=True)
    ]
    return list(index), np.array(triplets, np.int64)


def _stripped(source: Source, row: int, value: str, field: str) -> str:
    text = value.strip()
    if not text:
        raise source.error(f"must not be blank, received {shorten(value)}", row, field)
    if len(text) > text_limit():
        message = f"must be at most {text_limit():,} characters long, received {len(text):,}"
        remedy = "the environment variable DTGCNN_MAX_TEXT sets the limit"
        raise source.error(f"{message}; {remedy}", row, field)
    control = _CONTROL.search(text)
    if control:
        message = f"must have no control characters, received {control[0]!r} at {control.start()}"
        raise source.error(message, row, field)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"must be valid Unicode, received {shorten(value)} ({error.reason})"
        raise source.error(message, row, field) from None
    return text


def unread(what: str, names: Sequence[str]) -> str:
    """That fields, columns or keys are not read."""
    if len(names) == 1:
        return f"the {what} {listed(names)} is not read"
    return f"the {what}s {listed(names)} are not read"


def listed(names: Iterable[object], counts: Mapping[Any, int] | None = None) -> str:
    """Names for a message: ten at most, the odd ones quoted, with what ``counts`` has of each."""
    shown = []
    for name in names:
        text = str(name)
        plain = bool(text) and len(text) <= _LONGEST and text.isprintable()
        number = "" if counts is None else f" ({counts[name]})"
        shown.append((text if plain else shorten(text, 30)) + number)
    return ", ".join(shown[:10] + ["…"] * (len(shown) > 10)) or "none"
