"""The bytes and the lines of a file, unpacked and decoded as they are read, within limits."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from typing_extensions import override

from ...errors import DataError
from .limits import unpacked_limit
from .source import Source, shorten

__all__ = ["format_of", "open_bytes", "read_lines"]

_FOREIGN = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def format_of(path: Path, known: Iterable[str], of: str = "") -> tuple[str, bool]:
    """The suffix that names a file's format, and whether ``.gz`` follows it.

    Raises:
        DataError: the suffix is not one of ``known``, those ``of`` which the message speaks.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if packed else suffixes[-1:])
    names = list(known)
    if suffix not in names:
        raise DataError(
            f"{path}: the suffix{of} must be one of {', '.join(names)} (or that and .gz), "
            f"received {path.name!r}"
        )
    return suffix, packed


def open_bytes(source: Source, path: Path, packed: bool) -> BinaryIO:
    """The file, opened to be read; a gzip file is unpacked block after block.

    Raises:
        DataError: it is missing, empty, or cannot be read; later, as it is read: it is no whole
            gzip file, or unpacks to more bytes than ``unpacked_limit``.
    """
    try:
        raw = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise source.error("no such file") from None
    except IsADirectoryError:
        raise source.error("cannot be read: it is a folder, not a file") from None
    except OSError as error:
        raise source.error(f"cannot be read: {error.strerror or error}") from None
    file = io.BufferedReader(_Unpacked(source, raw, packed), 1 << 16)
    try:
        if not file.peek(1):
            raise source.error("the file is empty")
    except BaseException:
        file.close()
        raise
    return file


def read_lines(
    source: Source, file: BinaryIO, limit: int | None = None
) -> Generator[str, None, None]:
    """The lines of UTF-8 text with their ends: LF, CR LF or CR, as they come. Closes the file.

    Raises:
        DataError: it is in another encoding, holds a NUL, or a line of over ``limit`` characters.
    """
    # Bytes that are no UTF-8 come as lone surrogates, which UTF-8 cannot hold itself: so the line
    # they are in is known although the text is decoded block by block.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    with closing(text):
        _check_start(source, file)
        size, number = -1 if limit is None else limit + 1, 0
        while line := text.readline(size):
            number += 1
            if limit is not None and len(line) > limit:
                raise source.error(f"must be at most {limit:,} characters long", number)
            _check_line(source, number, line)
            yield line


def _check_start(source: Source, file: BinaryIO) -> None:
    assert isinstance(file, io.BufferedReader)
    start = file.peek(4)[:4]
    for mark, name in _FOREIGN.items():
        if start.startswith(mark):
            raise source.error(f"must be UTF-8, its first bytes are those of {name}", 1)
    if start.startswith(b"\x1f\x8b"):
        raise source.error("must be UTF-8, it is a gzip file, whose suffix must end in .gz", 1)
    if start == b"PK\x03\x04":
        raise source.error("must be UTF-8, it is a zip file, as .xlsx and .npz files are", 1)


def _check_line(source: Source, number: int, line: str) -> None:
    if "\0" in line:
        column = line.index("\0") + 1
        message = f"must be UTF-8 text, found a NUL at column {column}"
        raise source.error(f"{message} (UTF-16, or no text at all?)", number)
    if line.isascii():
        return
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte, column = ord(line[error.start]) - 0xDC00, error.start + 1
        around = shorten(line[max(0, error.start - 12) : error.start + 12])
        raise source.error(
            f"must be UTF-8, found the byte 0x{byte:02x} at column {column}, in {around} "
            "(Latin-1 or Windows-1252?)",
            number,
        ) from None


class _Unpacked(io.RawIOBase):
    """A file's content, unpacked; its faults are ``DataError``."""

    def __init__(self, source: Source, raw: io.FileIO, packed: bool) -> None:
        self._source = source
        self._raw = raw
        self.name = raw.name
        self._file: io.IOBase = gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw
        self._left = unpacked_limit() if packed else None

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return self._left is None

    @override
    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    @override
    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self._source.error(f"is not a whole gzip file: {error}") from None
        except OSError as error:
            raise self._source.error(f"cannot be read: {error.strerror or error}") from None
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise self._source.error(
                    f"must unpack to at most {unpacked_limit():,} bytes, received more; the "
                    "environment variable DTGCNN_MAX_UNPACKED sets the limit"
                )
        buffer[: len(data)] = data
        return len(data)

    @override
    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._raw.close()
        super().close()
