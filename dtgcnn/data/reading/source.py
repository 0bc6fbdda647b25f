"""Where records come from, and how a message says so."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field

from ...errors import DataError

__all__ = ["Source", "repeated", "shorten"]

_log = logging.getLogger("dtgcnn")


def shorten(value: object, limit: int = 60) -> str:
    """``repr(value)`` on one line, cut to ``limit`` characters."""
    text = " ".join(repr(value).split()) if not isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def repeated(names: Iterable[str]) -> str | None:
    """The first of the names that occur more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


@dataclass(frozen=True)
class Source:
    """Where records come from: a file or a call, and the unit in which its rows are counted.

    Lines count from 1, as editors do; records and array rows from 0, as Python does. ``header`` is
    the row of a table that names its columns.

    Attributes:
        notes: what a person should be told of how the content was taken.
        names: how the fields are called there that have other names here.
        unread: the fields of the first record that are not read.
        class_names: of fields that number classes, the names of these.
    """

    name: str
    unit: str = "record"
    header: int | None = None
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    unread: tuple[str, ...] = ()
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)

    def tell(self) -> None:
        """Log the notes."""
        for note in self.notes:
            _log.warning("%s: %s", self.name, note)

    def place(self, row: int) -> str:
        """The words for one row, such as ``line 7`` or ``record 3 (counting from 0)``."""
        return f"line {row}" if self.unit == "line" else f"{self.unit} {row} (counting from 0)"

    def check_names(self, columns: Iterable[str], row: int | None = None) -> None:
        """Refuse columns of one name."""
        name = repeated(columns)
        if name is not None:
            raise self.error("the column must occur once", row, name)

    def check_lengths(self, columns: Mapping[str, Sized]) -> None:
        """Refuse columns of several lengths."""
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise self.error(f"columns must be of one length, received {sizes}")

    def error(self, message: str, row: int | None = None, field: str | None = None) -> DataError:
        """A ``DataError`` about the source, one of its rows, or one field of that row."""
        parts = [self.name]
        if row is not None:
            parts.append(self.place(row))
        if field is not None:
            parts.append(f"{self.names.get(field, field)!r}")
        return DataError(f"{': '.join(parts)}: {message}")
