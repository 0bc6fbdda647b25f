"""EncoderCache: rows that an encoder gave, kept on the disk for the next run.

A folder holds one SQLite file for each encoder, named by its fingerprint; in it a row's key is the
sha256 of its text. Texts themselves are not kept. SQLite lets several processes read and write at
once, and undoes what a killed one left half done; a row carries a checksum of its own.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..reading.raw import FloatArray

__all__ = ["VARIABLE", "EncoderCache", "cache_folder"]

_log = logging.getLogger("dtgcnn")

VARIABLE = "DTGCNN_CACHE"
"""The environment variable that names the folder, or is ``off``."""

_ASKED = 500  # keys in one question to the database
_PATIENCE = 30.0  # seconds to wait for another process that writes


def cache_folder() -> Path | None:
    """Where rows are kept: ``$DTGCNN_CACHE``, or ``dtgcnn`` in the system's folder for caches; None
    where the variable is ``off``."""
    named = os.environ.get(VARIABLE)
    if named:
        return None if named.casefold() == "off" else Path(named).expanduser()
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "dtgcnn"


class EncoderCache:
    """The rows of one encoder, while the context lasts. A cache that cannot be used, because it is
    damaged, locked or not writable, is passed over with a warning: it then knows no row.

    Args:
        fingerprint: of the encoder.
        dim: width of a row.
        folder: where the files are; None keeps nothing.
    """

    def __init__(self, fingerprint: str, dim: int, folder: Path | None) -> None:
        self.dim = dim
        self.path = None if folder is None else folder / f"{fingerprint}.sqlite"
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._connection = sqlite3.connect(self.path, timeout=_PATIENCE)
                with self._connection:
                    self._connection.execute(
                        "CREATE TABLE IF NOT EXISTS rows (text BLOB PRIMARY KEY, row BLOB NOT NULL)"
                    )
                    self._connection.execute(
                        "CREATE TABLE IF NOT EXISTS cut (text BLOB PRIMARY KEY)"
                    )
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self.path.stat().st_size if self.path is not None and self.path.exists() else 0

    def fill(self, texts: Sequence[str], out: FloatArray) -> list[int]:
        """Put the rows that are known into ``out`` (N, dim); returns the indices of the others."""
        missing: list[int] = []
        damaged = 0
        for start in range(0, len(texts), _ASKED):
            keys = [_key(text) for text in texts[start : start + _ASKED]]
            known = dict(self._ask("SELECT text, row FROM rows WHERE text IN", keys))
            for i, key in enumerate(keys, start):
                row = None if key not in known else self._unpack(known[key])
                damaged += key in known and row is None
                if row is None:
                    missing.append(i)
                else:
                    out[i] = row
        if damaged:
            _log.warning("%s: %s damaged rows are made anew", self.path, f"{damaged:,}")
        return missing

    def cut_among(self, texts: Sequence[str]) -> int:
        """How many of the texts are known to have been cut."""
        found = 0
        for start in range(0, len(texts), _ASKED):
            keys = [_key(text) for text in texts[start : start + _ASKED]]
            known = {key for (key,) in self._ask("SELECT text FROM cut WHERE text IN", keys)}
            found += sum(key in known for key in keys)
        return found

    def add(self, texts: Iterable[str], rows: FloatArray, cut: Iterable[str] = ()) -> None:
        """Keep rows (N, dim), and which of the texts were ``cut``; all of it is on the disk
        afterwards, or nothing."""
        if self._connection is None:
            return
        pairs = [(_key(text), _packed(row)) for text, row in zip(texts, rows, strict=True)]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", pairs)
                keys = [(_key(text),) for text in cut]
                self._connection.executemany("INSERT OR IGNORE INTO cut VALUES (?)", keys)
        except sqlite3.Error as error:
            self._give_up(error)

    def _ask(self, question: str, keys: list[bytes]) -> list[Any]:
        """The rows that a question about some keys finds."""
        if self._connection is None:
            return []
        try:
            return list(self._connection.execute(f"{question} ({','.join('?' * len(keys))})", keys))
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def _unpack(self, packed: object) -> FloatArray | None:
        """The row; None where its bytes do not agree with its checksum."""
        if not isinstance(packed, bytes) or len(packed) != 4 * self.dim + 4:
            return None
        content, check = packed[:-4], packed[-4:]
        if zlib.crc32(content).to_bytes(4, "little") != check:
            return None
        return np.frombuffer(content, "<f4")

    def _give_up(self, error: Exception) -> None:
        _log.warning(
            "%s: this cache of encoded texts cannot be used (%s), so texts are encoded anew; "
            "it may be deleted at any time",
            *(self.path, error),
        )
        self.__exit__()


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _packed(row: FloatArray) -> bytes:
    content = row.astype("<f4").tobytes()
    return content + zlib.crc32(content).to_bytes(4, "little")
