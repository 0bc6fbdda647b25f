"""What the encoders share: checked texts, batches of one shape, a progress bar, fingerprints."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, MissingExtraError
from ...storage import replace_file
from ..reading.raw import FloatArray
from ..reading.source import Source, shorten

__all__ = [
    "checked_texts",
    "digest",
    "equal_shapes",
    "progress_bar",
    "read_description",
    "report_cut",
    "require",
    "unit_batches",
    "write_description",
]

_log = logging.getLogger("dtgcnn")

DESCRIPTION = "encoder.json"

_BATCH = 4096
_LONG = 1.0  # seconds

_PACKAGES = {"sklearn": "scikit-learn"}


def checked_texts(caller: str, texts: Iterable[str]) -> list[str]:
    """``texts`` as a list, every one a string that is not blank.

    Raises:
        DataError: they are one string, a table or no sequence, or an element is no string or is
            blank.
    """
    source = Source(caller)
    named = isinstance(texts, str | Mapping) or len(getattr(texts, "shape", (0,))) > 1
    if named or not isinstance(texts, Iterable):  # of a table those are the names of its columns
        raise source.error(f"must be a list of texts, received {shorten(texts)}", field="texts")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            message = f"must be a string that is not blank, received {shorten(text)}"
            raise source.error(message, i, "texts")
    return texts


def unit_batches(
    what: str, texts: list[str], dim: int, shown: bool, rows_of: Callable[[list[str]], FloatArray]
) -> FloatArray:
    """(N, dim) float32 rows at unit length, or of zeros, of many texts at a time; columns that
    ``rows_of`` does not give are zero. A bar that says ``what`` is ``shown`` where there are many.
    """
    encoded = np.zeros((len(texts), dim), np.float32)
    with progress_bar(what, len(texts), shown and len(texts) > _BATCH) as advance:
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
            rows = rows_of(part)
            norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
            rows /= np.where(norms == 0, 1, norms)
            encoded[start : start + len(part), : rows.shape[1]] = rows
            advance(len(part))
    return encoded


def equal_shapes(lengths: Sequence[int], height: int) -> Iterator[tuple[list[int], list[int]]]:
    """Indices in batches of one length each, at most ``height`` of them, the longest first; and the
    same, the last one repeated up to ``height``.

    So filled, batches need no padding of the texts, and their shape does not depend on what else
    there is. So neither does the last bit of a row.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for _, same in groupby(order, key=lambda i: lengths[i]):
        alike = list(same)
        for start in range(0, len(alike), height):
            batch = alike[start : start + height]
            yield batch, batch + batch[-1:] * (height - len(batch))


@contextmanager
def progress_bar(what: str, total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that counts to ``total``, where ``shown``; where that is no
    terminal, a line in the log at the end of what took long.

    Yields the function that moves it on by a count.
    """
    if not shown:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        begin = time.monotonic()
        yield lambda count: None
        took = time.monotonic() - begin
        if took >= _LONG:
            _log.info("%s took %.0f s", what, took)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def report_cut(user: str, cut: int, total: int, limit: str) -> None:
    """Warn that ``cut`` texts of ``total`` are longer than ``limit``, and lose their end."""
    if cut:
        _log.warning(
            "%s: %s of %s texts have more than %s; what comes after is not read",
            *(user, f"{cut:,}", f"{total:,}", limit),
        )


def digest(*parts: str | bytes | memoryview) -> str:
    """The sha256 in hexadecimal digits of parts; their borders count."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        whole.update(len(content).to_bytes(8, "little"))
        whole.update(content)
    return whole.hexdigest()


def require(module: str, user: str, extra: str) -> Any:
    """Import an optional package.

    Raises:
        MissingExtraError: it is not installed; names the ``extra`` that brings it.
    """
    root = module.partition(".")[0]
    try:
        import_module(root)
        return import_module(module)
    except ImportError as error:
        package = _PACKAGES.get(root, root.replace("_", "-"))
        raise MissingExtraError(
            f"{user} needs {package} ({error}): pip install 'dtgcnn[{extra}]'"
        ) from None


def write_description(directory: str | PathLike[str], content: dict[str, Any]) -> None:
    """Write ``encoder.json``, which names the encoder."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / DESCRIPTION, json.dumps(content).encode())


def read_description(directory: str | PathLike[str]) -> dict[str, Any]:
    """Read ``encoder.json``.

    Raises:
        DataError: it is not there, or is not the description of an encoder.
    """
    path = Path(directory) / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["name"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is not the description of an encoder: {error!r}") from None
    return dict(content)
