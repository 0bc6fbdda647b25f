"""Faults to be survived: bytes that are changed, and processes that are killed."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MOST_SECONDS = 1.0
"""What a reader may take for a small file."""


def corpus() -> dict[str, bytes]:
    """A small valid file of each kind that is read, by its name."""
    rows = [(f'the {w} today, "{w}"', c) for c, ws in _WORDS.items() for w in ws.split()]
    table = "text,label\n" + "".join('"{}",{}\n'.format(t.replace('"', '""'), c) for t, c in rows)
    triplets = [{"anchor": a, "positive": p, "negative": n} for a, p, n in _TRIPLETS]
    lines = "".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in rows)
    x = np.random.default_rng(0).normal(size=(len(rows), 3)).astype(np.float32)
    names = np.array([c for _, c in rows])
    files = {
        "a.csv": table.encode(),
        "a.tsv": "".join(f"{t}\t{c}\n" for t, c in [("text", "label"), *rows]).encode(),
        "a.json": json.dumps({"triplets": triplets}).encode(),
        "a.jsonl": lines.encode(),
        "a.csv.gz": gzip.compress(table.encode(), mtime=0),
        "a.npy": _saved(lambda file: np.save(file, x)),
        "a.npz": _saved(lambda file: np.savez(file, x=x, labels=names)),
        "b.npz": _saved(lambda file: np.savez_compressed(file, x=x, labels=names)),
        "a.safetensors": _safetensors(x, names.tolist()),
        "a.toml": b'learning_rate = 0.001\nhidden_dims = [8, 8]\nloss = "supcon"\n',
    }
    with suppress(ImportError):
        from pyarrow import parquet
        from pyarrow import table as arrow_table

        columns: Any = {"text": [t for t, _ in rows], "label": [c for _, c in rows]}
        files["a.parquet"] = _saved(lambda file: parquet.write_table(arrow_table(columns), file))
    return files


_WORDS = {"animals": "cat dog horse cow", "weather": "rain snow wind storm", "food": "bread soup"}
_TRIPLETS = [("a cat", "a dog", "the rain"), ("the snow", "a storm", "a cow"), ("é", "ü", "ß")]


def _saved(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _safetensors(x: Any, names: list[str]) -> bytes:
    from safetensors.numpy import save

    return save({"x": x}, {"labels": json.dumps(names)})


def mutated(content: bytes, rng: random.Random) -> bytes:
    """``content`` with one to eight changes: bits, bytes, runs that go, come twice or move."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        run = slice(at, at + rng.choice((1, 1, 2, 4, 16, 64)))
        kind = rng.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[run] = rng.randbytes(len(data[run]))
        elif kind == 2:
            del data[run]
        elif kind == 3:
            data[at:at] = data[run] * rng.choice((1, 2, 100))
        elif kind == 4:
            data[at:at] = rng.choice(_PIECES)
        elif kind == 5:
            data[run] = rng.choice((b"\0", b"\xff", b"9", b"[")) * len(data[run])
        elif kind == 6:
            del data[at:]
    return bytes(data)


_PIECES: tuple[bytes, ...] = (
    b'"',
    b",",
    b"\n",
    b"\r\n",
    b"\t",
    b"{",
    b"}",
    b"[" * 5000,
    b"9" * 400,
    b"1e999",
    b"NaN",
)
_PIECES = (*_PIECES, b"null", b"-1", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
_PIECES = (*_PIECES, b"\\ud800", b"\0")


def outcome(call: Callable[[], object]) -> str:
    """``"read"`` or ``"refused"`` of a call; else what it ended by, or that it took too long."""
    begin = time.perf_counter()
    try:
        call()
        found = "read"
    except (ValueError, OSError, ImportError) as error:  # what the commands tell in one line
        found = "refused"
        if isinstance(error, UnicodeError) or not str(error):
            found = f"{type(error).__name__}: {error}"[:200]
    except Exception as error:
        found = f"{type(error).__name__}: {error}"[:200]
    return found if time.perf_counter() - begin < MOST_SECONDS else "took too long"


def killed_at(call: Callable[[], object], seconds: float) -> bool:
    """Run ``call`` in a process of its own and kill it after so many seconds; whether it was still
    running then."""
    process = _started(call, os.devnull)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(min(0.002, max(end - time.perf_counter(), 0.0)))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


class Ended(NamedTuple):
    """How a process ended: its exit code, or None where it was killed, and what it said; and how
    many file operations it did, where it came to its end."""

    code: int | None
    said: str
    operations: int


def ended_at(
    call: Callable[[], object], folder: Path, operation: int | None, fails: int | None = None
) -> Ended:
    """Run ``call`` in a process of its own, up to the n-th operation on a file in ``folder``.

    Opening, renaming, linking, removing, making a folder, flushing to the disk, and statements and
    commits of SQLite are operations.
    The n-th kills the process before it is done, or fails with the error number ``fails``.
    """
    said, count = folder.parent / "said", folder.parent / "operations"
    count.unlink(missing_ok=True)

    def watched() -> None:
        done = 0

        def happens(*name: str) -> None:
            nonlocal done
            done += 1
            if done != operation:
                return
            if fails is None:
                os.kill(os.getpid(), signal.SIGKILL)
                return
            raise OSError(fails, os.strerror(fails), *name)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _OPERATIONS:
                name = next((os.fsdecode(a) for a in arguments[:2] if _names(a, folder)), None)
                if name is not None:
                    happens(name)

        def fsync(file: Any) -> None:
            happens()
            flush(file)

        class Watched(sqlite3.Connection):
            """A database whose statements are operations on its file."""

            def execute(self, *given: Any) -> Any:
                self._happens()
                return super().execute(*given)

            def executemany(self, *given: Any) -> Any:
                self._happens()
                return super().executemany(*given)

            def __exit__(self, *given: Any) -> Any:
                self._happens()
                return super().__exit__(*given)

            def _happens(self) -> None:
                try:
                    happens()
                except OSError as error:
                    raise sqlite3.OperationalError(f"disk I/O error: {error}") from None

        flush, connect = os.fsync, sqlite3.connect
        os.fsync = fsync  # type: ignore[assignment]
        sqlite3.connect = partial(connect, factory=Watched)  # type: ignore[assignment]
        sys.addaudithook(hook)
        try:
            call()
        finally:
            count.write_text(str(done))

    _, status = os.waitpid(_started(watched, said), 0)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    operations = int(count.read_text()) if count.exists() else 0
    return Ended(code, said.read_text(), operations)


_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}
_OPERATIONS |= {"os.truncate", "os.chmod"}


def _names(argument: object, folder: Path) -> bool:
    is_path = isinstance(argument, (str, bytes, os.PathLike))
    return is_path and os.fsdecode(argument).startswith(f"{folder}{os.sep}")  # type: ignore[arg-type]


def _started(call: Callable[[], object], output: str | Path) -> int:
    """The number of a process that runs ``call`` and says what it says into a file."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            quiet = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.stdout = sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            call()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return process


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a folder by their names in it, without hidden ones."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".") and "/." not in name:
            yield name, path.read_bytes()
