"""Faults to be survived: bytes that are changed, and processes that are killed."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

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


_PIECES = (b'"', b",", b"\n", b"\r\n", b"\t", b"{", b"}", b"[" * 5000, b"9" * 400, b"1e999", b"NaN")
_PIECES += (
    b"null",
    b"-1",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\\ud800",
    b"\0",
)


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
    process = os.fork()
    if process == 0:
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            call()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            os._exit(code)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(min(0.002, max(end - time.perf_counter(), 0.0)))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a folder by their names in it, without hidden ones."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".") and "/." not in name:
            yield name, path.read_bytes()
