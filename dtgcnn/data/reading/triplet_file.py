"""Writing triplets to a file, as they come, and reading them back."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from ...files import draft, flush, remove_drafts
from ..errors import DataError, Source, shorten
from .raw import TRIPLET_FIELDS, Rules
from .readers import read_file

__all__ = ["Triplet", "read_triplets", "triplet_format", "write_triplets"]

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
    suffix, packed = triplet_format(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_drafts(path.parent)
    with draft(path) as part:
        with _text_file(part, packed) as file:
            count = _WRITERS[suffix](file, _checked(f"{path}: triplets", triplets))
        if not count:
            raise DataError(f"{path}: there is no triplet to write")
        os.replace(part, path)
    flush(path.parent)
    return count


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


def triplet_format(path: Path) -> tuple[str, bool]:
    """The suffix that names the format, and whether ``.gz`` follows it.

    Raises:
        DataError: triplets are not written in such a format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if packed else suffixes[-1:])
    if suffix not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise DataError(
            f"{path}: the suffix must be one of {known} (or that and .gz), received {path.name!r}"
        )
    return suffix, packed


@contextmanager
def _text_file(path: Path, packed: bool) -> Iterator[TextIO]:
    """A new UTF-8 file, on the disk when the context ends."""
    with path.open("xb") as raw:
        # Neither name nor time goes into a packed file: equal content is to be equal bytes.
        target: Any = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
        text = io.TextIOWrapper(target, "utf-8", newline="")
        yield text
        text.flush()
        text.detach()
        if packed:
            target.close()
        raw.flush()
        os.fsync(raw.fileno())


def _checked(name: str, triplets: Iterable[Triplet]) -> Iterator[list[str]]:
    """Anchor, positive and negative of each triplet, if reading will accept them."""
    source = Source(name)
    rules = Rules(source)
    for row, triplet in enumerate(triplets):
        if isinstance(triplet, str) or len(triplet) != 3:
            raise source.error(f"must be three texts, received {shorten(triplet)}", row)
        yield rules.check(row, dict(zip(TRIPLET_FIELDS, triplet, strict=True)))


def _json_objects(triplets: Iterable[list[str]]) -> Iterator[str]:
    for texts in triplets:
        yield json.dumps(dict(zip(TRIPLET_FIELDS, texts, strict=True)), ensure_ascii=False)


def _write_json(file: TextIO, triplets: Iterable[list[str]]) -> int:
    count = 0
    file.write('{"triplets": [')
    for count, text in enumerate(_json_objects(triplets), start=1):
        file.write(f"{',' if count > 1 else ''}\n  {text}")
    file.write("\n]}\n")
    return count


def _write_jsonl(file: TextIO, triplets: Iterable[list[str]]) -> int:
    count = 0
    for count, text in enumerate(_json_objects(triplets), start=1):  # noqa: B007
        file.write(f"{text}\n")
    return count


def _write_csv(file: TextIO, triplets: Iterable[list[str]], delimiter: str = ",") -> int:
    count = 0
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(TRIPLET_FIELDS)
    for count, texts in enumerate(triplets, start=1):  # noqa: B007
        writer.writerow(texts)
    return count


def _write_tsv(file: TextIO, triplets: Iterable[list[str]]) -> int:
    return _write_csv(file, triplets, "\t")


_WRITERS: dict[str, Callable[[TextIO, Iterable[list[str]]], int]] = {
    ".json": _write_json,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".tsv": _write_tsv,
}
