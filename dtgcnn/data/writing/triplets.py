"""Triplets of texts: written to a file as they come, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from ...errors import DataError
from ..reading.raw import TRIPLET_FIELDS, Rules
from ..reading.readers import read_file
from ..reading.source import Source, shorten
from .files import record_format, write_records

__all__ = ["Triplet", "read_triplets", "write_triplets"]

Triplet: TypeAlias = tuple[str, str, str]
"""The texts of anchor, positive and negative."""


def write_triplets(path: str | PathLike[str], triplets: Iterable[Triplet]) -> int:
    """Write triplets in the format that the suffix names, one after another; returns how many.

    The file appears once it is whole, and its folder is made where it is missing. Equal triplets
    give equal bytes, packed or not.

    Args:
        path: ends in ``.json``, ``.jsonl``, ``.csv`` or ``.tsv``, and maybe ``.gz``.
        triplets: texts; white space at both ends is left out, as reading does.

    Raises:
        DataError: another suffix, no triplet, or one that could not be read back; names its
            position.
        OSError: the file cannot be written; what was at ``path`` is as it was.
    """
    path = Path(path)
    record_format(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_records(path, _checked(path, triplets), "triplets")


def read_triplets(path: str | PathLike[str]) -> list[Triplet]:
    """The triplets of a file, in order; see ``read_file`` for the formats.

    Raises:
        DataError: a record breaks a rule, or the file holds something else; names file and row.
    """
    raw = read_file(path)
    if raw.triplets is None or raw.texts is None:
        raise raw.source.error(f"must hold triplets of texts, found {raw.kind}")
    texts = raw.texts
    return [(texts[a], texts[p], texts[n]) for a, p, n in raw.triplets.tolist()]


def _checked(path: Path, triplets: Iterable[Triplet]) -> Iterator[dict[str, str]]:
    """Anchor, positive and negative of each triplet, if reading will accept them."""
    source = Source(f"{path}: triplets")
    rules = Rules(source)
    for row, triplet in enumerate(triplets):
        if isinstance(triplet, str) or len(triplet) != 3:
            raise source.error(f"must be three texts, received {shorten(triplet)}", row)
        texts = rules.check(row, dict(zip(TRIPLET_FIELDS, triplet, strict=True)))
        yield dict(zip(TRIPLET_FIELDS, texts, strict=True))
    if not rules.fields:
        raise DataError(f"{path}: there is no triplet to write")
