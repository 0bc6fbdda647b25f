"""What records are, by the names of their fields: ours, and others that mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, cycle, islice, product
from math import prod
from typing import Any, Literal, TypeAlias

from .field_names import (
    NAMES,
    SEVERAL,
    VECTOR_NAMES,
    check_columns,
    folded,
    key_of,
    matching,
)
from .raw import TRIPLET_FIELDS, Record, kind_of, listed, unread
from .source import Source, repeated
from .vectors import is_vector

__all__ = ["MATCHED", "SCORED", "Columns", "Held", "Shape", "shaped"]

Columns: TypeAlias = Mapping[str, str]
"""Names of the fields that hold what: ``{"text": "utterance", "label": "intent"}``."""

Held: TypeAlias = Literal["triplets", "pairs", "labelled", "texts"]

SCORED = ("sentence1", "sentence2", "score")
MATCHED = TRIPLET_FIELDS[:2]

MOST = 10_000
"""Triplets or pairs that one record gives at most, if all its texts go with all others."""

_ROLES: dict[Held, tuple[str, ...]] = {
    "triplets": (*TRIPLET_FIELDS, "group"),
    "pairs": (*MATCHED, *SCORED),
    "labelled": ("text", "label", "split", "group"),
    "texts": ("text", "label", "split", "group"),
}


@dataclass(frozen=True)
class Shape:
    """What the records of a source hold, as the first one decides it.

    Attributes:
        held: their kind.
        row: where that record, or else the header, is.
        fields: for each thing that they hold the names of the fields that hold it.
        unread: the other fields.
    """

    held: Held
    row: int
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the fields that are read."""
        return [name for own in self.fields.values() for name in own]

    @property
    def scored(self) -> bool:
        """Whether pairs have scores."""
        return "score" in self.fields


def shaped(
    source: Source, records: Iterable[Record], columns: Columns | None = None
) -> tuple[Source, Shape, Iterator[Record]]:
    """The records with our names of fields, and with them the source, which knows the others.

    A record of several positives or negatives gives one record for each of both; a ``set``, one for
    each pair in it. Where that is more than ``MOST``, each text is used once or more: the texts of
    a set go with their neighbours in it.

    Args:
        source: of the records.
        records: as ``read_records`` gives them.
        columns: what the names do not tell.

    Raises:
        DataError: the fields fit nothing, or only in part, or ``columns`` names one that there is
            not; later, as records are read: a list is empty.
    """
    records = iter(records)
    first = next(records, None)
    if first is None:
        raise source.error("holds no records")
    row, given = first
    shape = shape_of(source, row if source.header is None else source.header, given, columns or {})
    if shape.unread:
        what = "field" if source.header is None else "column"
        note = unread(what, shape.unread) + _advice(shape, folded(given))
        source = replace(source, notes=(*source.notes, note))
    names = {role: own[0] for role, own in shape.fields.items() if len(own) == 1}
    source = replace(source, names=names, unread=shape.unread)
    return source, shape, _renamed(source, shape, chain([first], records))


def shape_of(source: Source, row: int, given: Mapping[str, object], columns: Columns) -> Shape:
    """What a record is, by its fields."""
    record = folded(given)
    chosen = _chosen(source, row, record, columns)
    if "set" in record and isinstance(record["set"], list) and not chosen:
        others = tuple(name for name in record if name != "set")
        return Shape("pairs", row, {"set": ("set",)}, others)
    found = {role: matching(record, own, role in SEVERAL) for role, own in NAMES.items()} | chosen
    held = _held(source, row, record, found, chosen)
    if held in ("labelled", "texts") and not found["text"]:
        found |= _of_vectors(source, row, record, found, chosen)
    if held == "pairs" and "label" in chosen:
        found["score"] = chosen.get("score", chosen["label"])
    if held == "labelled" and not found["label"]:
        held = "texts"
    fields = {
        role: found[role] if role in SEVERAL else found[role][:1]
        for role in _ROLES[held]
        if found[role]
    }
    if held == "pairs":
        dropped = MATCHED if "sentence1" in fields and "sentence2" in fields else SCORED[:2]
        fields = {role: own for role, own in fields.items() if role not in dropped}
    read = set(chain.from_iterable(fields.values()))
    return Shape(held, row, fields, tuple(name for name in record if name not in read))


def _chosen(
    source: Source, row: int, record: Mapping[str, object], columns: Columns
) -> dict[str, tuple[str, ...]]:
    check_columns(columns)
    chosen: dict[str, tuple[str, ...]] = {}
    for role, name in columns.items():
        if name.strip().lower() not in record:
            raise source.error(f"there is no column {name!r}; found {listed(record)}", row)
        chosen[role] = (name.strip().lower(),)
    return chosen


def _held(
    source: Source,
    row: int,
    record: Mapping[str, object],
    found: Mapping[str, tuple[str, ...]],
    chosen: Mapping[str, tuple[str, ...]],
) -> Held:
    """What the fields make of a record; those of triplets by our own names decide over ``text``."""
    own = set(TRIPLET_FIELDS) & record.keys()
    single = "text" in chosen or ("text" in record and not own)
    if single:
        return "labelled"
    if found["anchor"] and found["positive"]:
        some = [name for name in found["negative"] if _values(record[name])]
        if some or (found["negative"] and not _is_list(record, found["negative"])):
            return "triplets"
        return "pairs"
    if {"sentence1", "sentence2"} <= record.keys():
        return "pairs"
    if own:
        kind_of(source, record, row)  # which refuses them
    return "labelled"


def _of_vectors(
    source: Source,
    row: int,
    record: Mapping[str, object],
    found: Mapping[str, tuple[str, ...]],
    chosen: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[str, ...]]:
    """The fields of a record that has a vector; an error where it has none, or several."""
    vectors = [name for name, value in record.items() if is_vector(value)]
    named = [name for name in matching(record, VECTOR_NAMES["text"]) if name in vectors]
    text = named if len(vectors) > 1 else vectors
    if len(text) == 1:
        label = found["label"] or matching(record, VECTOR_NAMES["label"])
        return {"text": tuple(text), "label": chosen.get("label", label)}
    if vectors:
        raise source.error(
            f"has several columns of vectors, {listed(vectors)}; name the one to read, as by "
            "--text-column",
            row,
        )
    kind_of(source, [name for name in record if name != "text"], row)
    raise AssertionError("records without a text are refused")


def _advice(shape: Shape, record: Mapping[str, object]) -> str:
    """How to have what is not read, or what comes of it."""
    if shape.held in ("triplets", "pairs") and "split" in shape.unread:
        return f"; {shape.held} of all splits are taken"
    vectors = [name for name in shape.unread if is_vector(record[name])]
    return f"; --text-column {vectors[0]} trains on its vectors" if vectors else ""


def _renamed(source: Source, shape: Shape, records: Iterable[Record]) -> Iterator[Record]:
    roles = {role: (role,) for role in _ROLES[shape.held]} | shape.fields
    several = [role for role in SEVERAL if role in shape.fields]
    plain: Set[str] = set()
    for row, given in records:
        record: Mapping[str, Any] = given
        if given.keys() != plain:
            record = folded(given)
            plain = given.keys() if record.keys() == given.keys() else plain
        if len(record) < len(given):
            name = repeated(map(key_of, given))
            raise source.error("the key must occur once in an object", row, name)
        if "set" in shape.fields:
            yield from _pairs_of(source, row, record)
            continue
        one = {role: record[own[0]] for role, own in roles.items() if own[0] in record}
        one |= {name: value for name, value in record.items() if name not in roles}
        names = source.class_names.get(roles.get("label", ("",))[0])
        if names is not None and isinstance(one.get("label"), int) and shape.held == "labelled":
            number = one["label"]
            one["label"] = names[number] if 0 <= number < len(names) else None
        if not several or all(_plain(record, shape.fields[role]) for role in several):
            yield row, one
            continue
        lists = [_several(source, row, record, shape, role) for role in several]
        for values in _together(lists):
            yield row, one | dict(zip(several, values, strict=True))


def _plain(record: Mapping[str, object], names: tuple[str, ...]) -> bool:
    return len(names) == 1 and not isinstance(record.get(names[0]), list)


def _several(
    source: Source, row: int, record: Mapping[str, object], shape: Shape, role: str
) -> list[Any]:
    names = shape.fields[role]
    for name in names:
        if name not in record:
            raise source.error(f"is missing; found {listed(record)}", row, name)
    found = [value for name in names for value in _values(record[name])]
    if not found:
        raise source.error("must hold one text or more, received none", row, " or ".join(names))
    return found


def _values(value: object) -> list[Any]:
    """The texts that a field holds; none where it is blank, null or an empty list."""
    given = value if isinstance(value, list) else [value]
    return [one for one in given if one is not None and not (isinstance(one, str) and not one)]


def _is_list(record: Mapping[str, object], names: Iterable[str]) -> bool:
    return any(isinstance(record[name], list) for name in names)


def _pairs_of(source: Source, row: int, record: Mapping[str, object]) -> Iterator[Record]:
    texts = record.get("set")
    if not isinstance(texts, list) or len(texts) < 2:
        raise source.error("must be a list of two texts or more", row, "set")
    pairs: Iterable[tuple[Any, Any]] = combinations(texts, 2)
    if len(texts) * (len(texts) - 1) > 2 * MOST:
        pairs = zip(texts, [*texts[1:], texts[0]], strict=True)
    for pair in pairs:
        yield row, dict(zip(MATCHED, pair, strict=True))


def _together(lists: list[list[Any]]) -> Iterable[tuple[Any, ...]]:
    """Each of one list with each of the other; of more than ``MOST``, each of both once or more."""
    if prod(map(len, lists)) <= MOST:
        return product(*lists)
    longest = max(map(len, lists))
    return islice(zip(*map(cycle, lists)), longest)
