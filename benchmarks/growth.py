"""Time and memory of each command by rows: vectors of classes around centres.

    python benchmarks/growth.py --rows 1000 10000 100000 --columns 64

Each command is a process of its own, over files that the ones before it wrote: ``check``, ``train``
for one epoch without the picture, ``evaluate``, ``encode``, ``index``, ``search`` of one query, and
``generate`` of a triplet for each of as many short texts. Seconds are of the processor, over all
threads, and MiB the peak of memory that the process held, both beyond those of the same command
over 200 rows: what grows, without Python's start. An exponent is the slope of the least squares fit
of logarithms. ``of the vectors`` is the peak over most rows by what these take in float32.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

PER_CLASS, OF_CLASSES = 50, 200
FEWEST = 200


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    """Of the processor."""
    mib: float
    """Its peak."""


def write_rows(path: Path, rows: int, columns: int) -> None:
    """Rows around centres, in float32, of classes of 50, at most 200 of them; a tenth are tests."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % min(max(2, rows // PER_CLASS), OF_CLASSES)
    x = rng.standard_normal((labels.max() + 1, columns), dtype=np.float32)[labels]
    x += 1.5 * rng.standard_normal(x.shape, dtype=np.float32)
    splits = np.where(np.arange(rows) % 10 == 9, "test", "train")
    np.savez(path, x=x, y=labels, split=splits)


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


def measure(folder: Path, rows: int, columns: int, backend: str, skip: set[str]) -> dict[str, Cost]:
    """The cost of each command over so many rows."""
    file, query, texts = folder / "rows.npz", folder / "query.npy", folder / "texts.csv"
    model, index = folder / "model", folder / "index"
    write_rows(file, rows, columns)
    write_texts(texts, rows)
    np.save(query, np.load(file)["x"][:1])
    own = ("--backend", backend)
    triplets = ("--output", folder / "t.jsonl", "--per-anchor", "1", "--encoder", "hashing")
    commands: dict[str, tuple[str | Path, ...]] = {
        "check": ("check", file),
        "train": ("train", file, "--output", model, "--epochs", "1", "--no-map", *own),
        "evaluate": ("evaluate", model, file, *own),
        "encode": ("encode", model, file, "--output", folder / "z.npy", *own),
        "index": ("index", model, file, "--output", index, *own),
        "search": ("search", index, query, *own),
        "generate": ("generate", texts, *triplets),
    }
    return {name: run(*command) for name, command in commands.items() if name not in skip}


def exponent(rows: list[int], values: list[float]) -> float:
    """The slope of the logarithm of values, at least a tenth each, by that of rows."""
    return float(np.polyfit(np.log(rows), np.log(np.maximum(values, 0.1)), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--skip", nargs="*", default=[], help="commands to leave out")
    options = parser.parse_args()
    found: dict[str, list[Cost]] = {}
    base: dict[str, Cost] = {}
    for rows in (FEWEST, *options.rows):
        with tempfile.TemporaryDirectory() as folder:
            skip = set(options.skip)
            costs = measure(Path(folder), rows, options.columns, options.backend, skip)
        base = base or costs
        for name, cost in costs.items() if rows > FEWEST else ():
            pairs = zip(cost, base[name], strict=True)
            more = Cost(*(max(0.0, own - least) for own, least in pairs))
            found.setdefault(name, []).append(more)
            print(f"{rows:,} rows, {name}: {more.seconds:.1f} s, {more.mib:.0f} MiB", flush=True)
    names = [f"{rows:,}" for rows in options.rows]
    heads = ["command", *(f"{n}: s, MiB" for n in names), "exponents", "of the vectors"]
    print(f"\n| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    vectors = options.rows[-1] * options.columns * 4 / 2**20
    for name, own in found.items():
        cells = [f"{cost.seconds:.1f}, {cost.mib:.0f}" for cost in own]
        fitted = [exponent(options.rows, [cost[i] for cost in own]) for i in range(2)]
        told = ", ".join(f"{b:.2f}" for b in fitted)
        print(f"| `{name}` | {' | '.join(cells)} | {told} | {own[-1].mib / vectors:.1f} |")


if __name__ == "__main__":
    main()
