"""How fields may be called: by our names, and by others that mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...config import refuse_unless

__all__ = ["NAMES", "SEVERAL", "VECTOR_NAMES", "check_columns", "folded", "key_of", "matching"]

NAMES = {
    "anchor": ("anchor", "query", "sent0"),
    "positive": ("positive", "pos", "sent1"),
    "negative": ("negative", "neg", "hard_neg"),
    "sentence1": ("sentence1",),
    "sentence2": ("sentence2",),
    "score": ("score", "label"),
    "text": ("text",),
    "label": ("label",),
    "split": ("split",),
    "group": ("group",),
}
"""By what a field holds, how it may be called: ours first, which goes before the others."""

SEVERAL = ("positive", "negative")
"""Of these a record may have several, in a list or in fields that end in _1, _2, …"""

VECTOR_NAMES = {
    "text": ("x", "embedding", "embeddings", "vector", "vectors", "feature", "features"),
    "label": ("label", "labels", "y", "target", "class"),
}
"""The names where rows are vectors."""


def check_columns(columns: Any) -> None:
    """Raise ``ValueError`` unless ``columns`` are names of fields by ours."""
    rule = "must name columns by what they hold, as {'text': 'utterance', 'label': 'intent'}"
    refuse_unless(isinstance(columns, Mapping), "columns", rule, columns)
    for role, name in columns.items():
        refuse_unless(role in NAMES, "columns", f"must name some of {', '.join(NAMES)}", role)
        refuse_unless(isinstance(name, str), "columns", rule, columns)


def matching(
    record: Mapping[str, object], names: tuple[str, ...], numbered: bool = False
) -> tuple[str, ...]:
    """The fields that have one of the names, or ``numbered`` ones, in the order of both."""
    places: dict[str, tuple[int, int]] = {}
    for name in record:
        found = re.fullmatch(r"(.+)_(\d{1,9})", name) if numbered else None
        stem, number = (name, -1) if found is None else (found[1], int(found[2]))
        if stem in names:
            places[name] = (names.index(stem), number)
    return tuple(sorted(places, key=places.__getitem__))


def folded(record: Mapping[str, object]) -> dict[str, Any]:
    """The record with names of fields in lower case."""
    return {key_of(name): value for name, value in record.items()}


def key_of(name: object) -> str:
    """The name of a field in lower case, without outer white space."""
    return str(name).strip().lower()
