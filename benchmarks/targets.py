"""How far the targets of speed and memory are reached, as one table.

    python benchmarks/targets.py --file banking77.minilm.npz --beside /path/to/python --runs 2
    python benchmarks/targets.py --only knn start
    python benchmarks/targets.py --only knn --queries 1000000

Each part uses what measures it elsewhere: ``step`` step.py, ``growth`` growth.py, of which 5 and 7
are taken, and ``mlx`` the test that counts operations. ``knn`` takes turns with faiss's exact
search, each in a process of its own, whose memory is what it held at most beyond the vectors; with
``--queries`` it is alone, and its memory is held to 256 MiB.
``train`` is the whole process beside the ``dtgcnn`` of another environment, and so are ``start``'s
commands. Times are medians, by the clock. What is not measured is named, with the reason. With
``--runs`` all is measured as often, and a target is met where each run meets it. Needs POSIX, a
checkout, and a machine that does nothing else.
"""

# mypy: disable-error-code="import-untyped,import-not-found"
from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import growth
import numpy as np
import step
from dtgcnn_numpy import NumpyOps

from dtgcnn.array.threads import limit_threads, processors
from dtgcnn.model.graph import knn

COLUMNS, NEIGHBOURS = 384, 10


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int = 15
    step_rows: tuple[int, ...] = (0, 1536, 4096)
    bank: int = 100_000
    queries: int = 8192
    rows: tuple[int, ...] = (10_000, 100_000)


TINY = Sizes(1, (64,), 500, 40, (400,))


class Figure(NamedTuple):
    """What of a target was reached."""

    target: str
    asked: float
    """At most."""
    reached: float | None
    """None where it was not measured."""
    told: str
    """The medians, or why it was not measured."""


Part = Callable[[Sizes, argparse.Namespace], Iterator[Figure]]


def apart(fn: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(fn, *arguments).result()


def absent(*packages: str) -> list[str]:
    return [f"{name} is not installed" for name in packages if find_spec(name) is None]


def dtgcnn(*arguments: str | Path, python: str | Path = sys.executable) -> float:
    """Seconds of a command by the clock, of the package that belongs to ``python``."""
    command = [str(python), "-P", "-m", "dtgcnn", *map(str, arguments)]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" or python == sys.executable}
    begin = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}: {ended.stderr}")
    return time.perf_counter() - begin


def steps(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    without = absent("torch", "jax")
    for rows in sizes.step_rows:
        for threads in options.threads:
            size = f"{rows:,} rows" if rows else "default training"
            target = f"1: NumPy's step / the best, {size}, {threads} threads"
            if len(without) == 2 or threads > processors():
                why = without if len(without) == 2 else [f"there are {processors()} processors"]
                yield Figure(target, 0.9, None, ", ".join(why))
                continue
            found = apart(step.run, rows, threads, 0.1, 2, sizes.rounds)
            (_, (ours, *_)), *others = found.items()
            best, (theirs, *_) = min(others, key=lambda other: other[1])
            told = [f"{ours:.1f} ms, {best} {theirs:.1f} ms", *without]
            yield Figure(target, 0.9, ours / theirs, ", ".join(told))


def train(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    target = "2: `dtgcnn train`, whole process / the other one's"
    if options.file is None or options.beside is None:
        yield Figure(target, 0.35, None, "needs --file and --beside")
        return
    times: dict[str, list[float]] = {sys.executable: [], options.beside: []}
    with tempfile.TemporaryDirectory() as folder:
        own = ("--output", Path(folder) / "model", "--overwrite", "--backend", "numpy")
        for _ in range(min(3, sizes.rounds)):
            for python, taken in times.items():
                taken.append(dtgcnn("train", options.file, *own, python=python))
    ours, theirs = map(statistics.median, times.values())
    yield Figure(target, 0.35, ours / theirs, f"{ours:.1f} s, {theirs:.1f} s")


def mlx(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    without = absent("mlx")
    count = None if without else float(apart(operations))
    yield Figure("3: operations of a compiled step on MLX", 250, count, ", ".join(without))


def operations() -> int:
    import mlx.core as mx

    from tests.array.test_mlx_operations import default_step, operations

    pure, given = default_step()
    return operations(mx.compile(pure)(*given)).total()


def nearest(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    if options.queries is not None:
        with tempfile.TemporaryDirectory() as folder:
            apart(write_units, Path(folder), sizes.bank, options.queries)
            seconds, mib, _ = apart(search, True, Path(folder), max(options.threads))
        target = f"4: k-NN of {options.queries:,} rows among {sizes.bank:,}, MiB"
        yield Figure(target, 256, mib, f"{seconds:.0f} s")
        return
    names = [f"4: k-NN, {kind} / faiss's" for kind in ("time", "memory")]
    without = absent("faiss")
    if without:
        yield from (Figure(name, 1.0, None, *without) for name in names)
        return
    with tempfile.TemporaryDirectory() as folder:
        apart(write_units, Path(folder), sizes.bank, sizes.queries)
        turns = [
            [apart(search, own, Path(folder), max(options.threads)) for own in (True, False)]
            for _ in range(min(3, sizes.rounds))
        ]
    ours, theirs = zip(*turns, strict=True)
    same = np.mean([np.sort(a[2]) == np.sort(b[2]) for a, b in turns])
    for place, (name, unit) in enumerate(zip(names, ("s", "MiB"), strict=True)):
        a, b = (statistics.median(turn[place] for turn in side) for side in (ours, theirs))
        yield Figure(name, 1.0, a / b, f"{a:.2f} {unit}, {b:.2f} {unit}; {same:.2%} equal")


def write_units(folder: Path, bank: int, queries: int) -> None:
    rng = np.random.default_rng(0)
    for name, rows in {"bank": bank, "queries": queries}.items():
        x = rng.standard_normal((rows, COLUMNS), dtype=np.float32)
        np.save(folder / f"{name}.npy", x / np.linalg.norm(x, axis=1, keepdims=True))


def search(own: bool, folder: Path, threads: int) -> tuple[float, float, Any]:
    """Seconds, MiB beyond the vectors, and what was found; by dtgcnn's search or by faiss's."""
    bank, queries = (np.load(folder / f"{name}.npy") for name in ("bank", "queries"))
    if own:
        alone = np.full(len(queries), -1, np.int32)
        find = lambda: knn(NumpyOps(), queries, bank, NEIGHBOURS, -1.0, alone, by_rows=True)[0]  # noqa: E731
    else:
        _suit_old_blas()
        import faiss

        product = faiss.METRIC_INNER_PRODUCT
        find = lambda: faiss.knn(queries, bank, NEIGHBOURS, metric=product)[1]  # noqa: E731
    unit = 2**20 if sys.platform == "darwin" else 2**10
    with limit_threads(threads):
        held, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        found = find()
        seconds = time.perf_counter() - begin
    mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / unit
    return seconds, max(mib, 1.0), found


def _suit_old_blas() -> None:
    """Let an OpenBLAS that is loaded from now on take a processor for the latest one that it knows:
    faiss-cpu's, of 2021, has kernels of 2004 for those that came after it, four times as slow."""
    known = Path("/proc/cpuinfo")
    if known.exists() and " avx512f" in known.read_text():
        os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def grown(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    for backend in ("numpy", "mlx"):
        names = {
            "mib": f"5: memory of a command / {sizes.rows[-1]:,} vectors, {backend}",
            "seconds": f"7: the greatest exponent of time, {backend}",
        }
        why = absent(*{"mlx"} & {backend})
        if backend not in options.backends:
            why = ["not among --backends"]
        if why:
            yield Figure(names["mib"], 1.0, None, *why)
            yield Figure(names["seconds"], 1.1, None, *why)
            continue
        found: dict[str, list[growth.Cost]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for rows in (growth.FEWEST, *sizes.rows):
                own = (Path(folder), rows, COLUMNS, backend, {"index"})
                for name, cost in growth.measure(*own):
                    found.setdefault(name, []).append(cost)
        beyond = {
            name: [growth.Cost(*np.subtract(cost, costs[0]).tolist()) for cost in costs[1:]]
            for name, costs in found.items()
        }
        vectors = sizes.rows[-1] * COLUMNS * 4 / 2**20
        memory = {name: costs[-1].mib / vectors for name, costs in beyond.items()}
        yield greatest(names["mib"], 1.0, memory)
        for kind, name in ("seconds", names["seconds"]), ("mib", f"7: … of memory, {backend}"):
            told = {
                command: growth.exponent(list(sizes.rows), [getattr(c, kind) for c in costs])
                for command, costs in beyond.items()
            }
            yield greatest(name, 1.1, {c: float(e) for c, e in told.items() if e != "–"})


def greatest(target: str, asked: float, figures: dict[str, float]) -> Figure:
    told = ", ".join(f"`{name}` {figure:.2f}" for name, figure in figures.items())
    return Figure(target, asked, max(figures.values(), default=None), told or "too few rows")


def start(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    rounds = range(min(9, sizes.rounds))
    with tempfile.TemporaryDirectory() as name:
        folder, own = Path(name), ("--backend", "numpy")
        rows, model, index = folder / "rows.csv", folder / "model", folder / "index"
        dtgcnn("sample", rows)
        dtgcnn("train", rows, "--output", model, "--epochs", "1", "--no-map", *own)
        dtgcnn("index", model, rows, "--output", index, *own)
        commands = {
            "`--help`, s": (0.3, ("--help",)),
            "`search` over an index, s": (0.8, ("search", index, "where is my parcel?", *own)),
        }
        for name, (asked, command) in commands.items():
            times = [dtgcnn(*command) for _ in rounds]
            told = f"{min(times):.2f} to {max(times):.2f} s"
            yield Figure(f"8: {name}", asked, statistics.median(times), told)


def elsewhere(sizes: Sizes, options: argparse.Namespace) -> Iterator[Figure]:
    yield Figure("2: share of other than steps and products", 0.3, None, "by cProfile, see results")
    yield Figure("3: MLX's step / PyTorch's on one GPU", 1.0, None, "needs a GPU")
    yield Figure("6: phases longer than a second without a name", 0, None, "by its tests")
    yield Figure("9: what a port must write for it", 0, None, "by tests/test_ports.py")


PARTS: dict[str, Part] = {
    "step": steps,
    "train": train,
    "mlx": mlx,
    "knn": nearest,
    "growth": grown,
    "start": start,
    "elsewhere": elsewhere,
}


def line(figures: tuple[Figure, ...]) -> str:
    """A row of the table: the same target in each run."""
    target, asked = figures[0].target, figures[0].asked
    reached = [figure.reached for figure in figures if figure.reached is not None]
    if not reached:
        verdict = "not measured"
    else:
        short = max(reached) - asked
        verdict = "met" if short <= 0 else f"short by {short:.3g}"
    cells = [target, f"{asked:g}", ", ".join(f"{figure:.3g}" for figure in reached), verdict]
    return f"| {' | '.join([*cells, '; '.join(dict.fromkeys(f.told for f in figures))])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--file", type=Path, help="what train is timed on")
    parser.add_argument("--beside", help="the Python of an environment with another dtgcnn")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--queries", type=int, help="of knn, without faiss")
    parser.add_argument("--backends", nargs="+", default=["numpy"], help="of growth")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="sizes that show that it runs")
    options = parser.parse_args()
    sizes = TINY if options.tiny else Sizes()
    runs: list[list[Figure]] = []
    for _ in range(options.runs):
        runs.append([])
        for part in options.only:
            for figure in PARTS[part](sizes, options):
                print(line((figure,)), file=sys.stderr, flush=True)  # if a later part should fail
                runs[-1].append(figure)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"\n{versions}, {processors()} processors, load average {os.getloadavg()[0]:.1f}\n")
    heads = ["target", "asked", "reached", "", "medians, ours and theirs"]
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    print("\n".join(map(line, zip(*runs, strict=True))))


if __name__ == "__main__":
    main()
