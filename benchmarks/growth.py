"""Time and memory of each command by rows: vectors of classes around centres.

    python benchmarks/growth.py --rows 1000 10000 100000 --columns 64
    python benchmarks/growth.py --rows 10000 100000 1000000 --skip index:1000000

Each command is a process of its own: ``check``; ``train`` for one epoch without the picture; with
one model, trained on 10,000 rows, ``evaluate``, ``encode``, ``index``, and ``search`` of one query,
in the index or where that is skipped in what ``encode`` wrote; and ``generate`` of a triplet for
each of as many short texts. A result is printed as it comes.

Seconds are of the processor, over all threads, and MiB the peak of memory that the process held,
both beyond those of the same command over 200 rows: what grows, without Python's start. ``of the
vectors`` is the peak over most rows by what these take in float32.

An exponent is the slope of the least squares fit of logarithms, over 10,000 rows and more. A model
holds at most 10,000 in its bank and in its class code, and compares each row with those: of fewer
rows, these too grow, and ``train`` as rows squared. ``index`` compares all rows with all,
``generate`` each with at most 20,000, and ``evaluate`` at most 10,000 with all, a billion pairs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.evaluation import SearchIndex

PER_CLASS, OF_CLASSES = 50, 200
FEWEST = 200
FULL = 10_000
"""Rows that fill a model's bank and class code."""


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    """Of the processor."""
    mib: float
    """Its peak."""


def write_rows(path: Path, rows: int, columns: int) -> None:
    """Rows around centres, in float32, of classes of 50, at most 200 of them; a tenth of each are
    tests."""
    rng = np.random.default_rng(0)
    turns, labels = np.divmod(np.arange(rows), min(max(2, rows // PER_CLASS), OF_CLASSES))
    x = rng.standard_normal((labels.max() + 1, columns), dtype=np.float32)[labels]
    x += 1.5 * rng.standard_normal(x.shape, dtype=np.float32)
    np.savez(path, x=x, y=labels, split=np.where(turns % 10 == 9, "test", "train"))


def write_texts(path: Path, rows: int) -> None:
    """As many texts of six words, three of them among the twenty of their class."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % min(max(2, rows // PER_CLASS), OF_CLASSES)
    words = np.concatenate(
        [
            20 * labels[:, None] + rng.integers(0, 20, (rows, 3)),
            rng.integers(10**4, 10**5, (rows, 3)),
        ],
        axis=1,
    )
    lines = [
        f"{' '.join(f'w{word}' for word in line)},c{label}"
        for line, label in zip(words.tolist(), labels.tolist(), strict=True)
    ]
    path.write_text("\n".join(["text,label", *lines, ""]))


def write_index(folder: Path) -> None:
    """An index of the rows and their embeddings, with the bank that the model has."""
    x = np.load(folder / "rows.npz")["x"]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    model = DTGCNN.load(folder / "model", backend="numpy")
    SearchIndex(model, np.load(folder / "z.npy"), x).save(folder / "index", overwrite=True)


def apart(fn: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a process of its own: what this one has held at most, Linux counts to the
    processes that it starts."""
    process = multiprocessing.get_context("spawn").Process(target=fn, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{fn.__name__} ended with {process.exitcode}")


def run(*arguments: str | Path) -> Cost:
    """Run a command of the package to its end.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "dtgcnn", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read().decode()}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def measure(
    folder: Path, rows: int, columns: int, backend: str, skip: set[str]
) -> Iterator[tuple[str, Cost]]:
    """The cost of each command over so many rows, one after the other."""
    file, query, texts = folder / "rows.npz", folder / "query.npy", folder / "texts.csv"
    model, index, own = folder / "model", folder / "index", ("--overwrite", "--backend", backend)
    train = ("--epochs", "1", "--no-map", *own)
    if not model.exists():
        apart(write_rows, file, FULL, columns)
        run("train", file, "--output", model, *train)
    apart(write_rows, file, rows, columns)
    apart(write_texts, texts, rows)
    np.save(query, np.ones((1, columns), np.float32))
    triplets = ("--output", folder / "t.jsonl", "--per-anchor", "1", "--encoder", "hashing")
    commands: dict[str, tuple[str | Path, ...]] = {
        "check": ("check", file),
        "evaluate": ("evaluate", model, file, "--backend", backend),
        "encode": ("encode", model, file, "--output", folder / "z.npy", *own),
        "index": ("index", model, file, "--output", index, *own),
        "search": ("search", index, query, "--backend", backend),
        "generate": ("generate", texts, *triplets, "--overwrite"),
        "train": ("train", file, "--output", folder / "trained", *train),
    }
    for name, command in commands.items():
        if name not in skip:
            yield name, run(*command)
        elif name == "index" and not {"encode", "search"} & skip:
            apart(write_index, folder)


def exponent(rows: list[int], values: list[float]) -> str:
    """The slope of the logarithm of values, at least a tenth each, by that of rows."""
    full = [(n, max(value, 0.1)) for n, value in zip(rows, values, strict=False) if n >= FULL]
    return f"{np.polyfit(*np.log(full).T, 1)[0]:.2f}" if len(full) > 1 else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument(
        "--skip", nargs="*", default=[], help="commands to leave out, or COMMAND:ROWS from there on"
    )
    options = parser.parse_args()
    all_rows = sorted(options.rows)
    found: dict[str, list[Cost]] = {}
    base: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in (FEWEST, *all_rows):
            left_out = (item.partition(":") for item in options.skip)
            skip = {name for name, _, least in left_out if rows >= int(least or 0)}
            for name, cost in measure(Path(folder), rows, options.columns, options.backend, skip):
                less = base.setdefault(name, cost)
                if rows == FEWEST:
                    continue
                more = Cost(*np.maximum(0.0, np.subtract(cost, less)).tolist())
                found.setdefault(name, []).append(more)
                told = f"{more.seconds:.1f} s, {more.mib:.0f} MiB"
                print(f"{rows:,} rows, {name}: {told}", flush=True)
    heads = ["command", *(f"{rows:,}: s, MiB" for rows in all_rows), "exponents", "of the vectors"]
    print(f"\n| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    for name, own in found.items():
        cells = [f"{cost.seconds:.1f}, {cost.mib:.0f}" for cost in own]
        cells += [""] * (len(all_rows) - len(own))
        fitted = ", ".join(exponent(all_rows, [cost[i] for cost in own]) for i in range(2))
        vectors = all_rows[len(own) - 1] * options.columns * 4 / 2**20
        print(f"| `{name}` | {' | '.join(cells)} | {fitted} | {own[-1].mib / vectors:.1f} |")


if __name__ == "__main__":
    main()
