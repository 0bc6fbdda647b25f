"""Faults in the middle: mutated files, changed bytes of what is saved, processes that are killed.

    python benchmarks/reliability.py                  # 20,000 mutations and 100 kills: a minute
    python benchmarks/reliability.py --mutations 1000000 --kills 1000 --backend numpy mlx

A mutated file must be read or refused by one message, within a second. A changed model must be
refused, or answer as before. A training that is killed at random moments must end with the same
bits after ``--resume``, and what encode, augment, generate, index, add and remove write must be
whole or not there; so also where they are killed before any operation on a file, or where that
fails, which is told in one line with the file's name. Prints a table, and what broke these rules.
It needs POSIX, and runs in a checkout.
"""

from __future__ import annotations

import argparse
import errno
import logging
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from dtgcnn import DTGCNN, CheckpointError
from dtgcnn.cli import main as command
from dtgcnn.config import parse_value, read_settings
from dtgcnn.data import read_file
from dtgcnn.evaluation import SearchIndex
from dtgcnn.storage.files import read_arrays
from tests.conftest import sentences
from tests.faults import Ended, corpus, ended_at, files_of, killed_at, mutated, outcome

QUICK = ["--set", "hidden_dims=[8]", "--set", "output_dim=8", "--epochs", "6", "--k", "3"]
QUICK += ["--set", "input_dim=20", "--batch-size", "12", "--save-every", "1", "--no-map", "--quiet"]

Counts = Counter[str]


def readers(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, files = Counts(), corpus()
    for name, content in files.items():
        path = folder / name
        read = read_settings if path.suffix == ".toml" else read_file
        for _ in range(count // len(files)):
            data = mutated(content, rng)
            path.write_bytes(data)
            _count(found, outcome(partial(read, path)), f"{name}: {data!r}", broken)
    return found


def settings(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, texts = Counts(), (b"0.001", b"[8, 8]", b'{"a": 1}', b'"cosine"', b"2020-01-01")
    for _ in range(count):
        text = mutated(rng.choice(texts), rng).decode(errors="replace")
        _count(found, outcome(partial(parse_value, text)), repr(text), broken)
    return found


def saved(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, (texts, _), model = Counts(), sentences(), _trained(folder, "numpy")
    expected = DTGCNN.load(model, backend="numpy").encode(texts[:5])
    files = [(name, data) for name, data in files_of(model) if name.endswith((".safetensors", "n"))]
    for name, content in files:
        for _ in range(count // len(files)):
            data = mutated(content, rng)
            (model / name).write_bytes(data)
            try:
                same = np.array_equal(
                    DTGCNN.load(model, backend="numpy").encode(texts[:5]), expected
                )
                kind = "as before" if same else "answers changed"
            except CheckpointError:
                kind = "refused"
            except Exception as error:
                kind = f"{type(error).__name__}: {error}"[:200]
            _count(found, kind, f"{name}, {len(data)} bytes", broken)
        (model / name).write_bytes(content)
    return found


def trainings(backend: str) -> Callable[[Path, int, random.Random, list[str]], Counts]:
    def part(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
        found = Counts()
        begin = time.perf_counter()
        whole = files_of_model(_trained(folder, backend))
        taken = time.perf_counter() - begin
        for run in range(count):
            output, killed = folder / f"killed-{run}", 0
            arguments = _train(folder, output, backend)
            for attempt in range(4):
                seconds = rng.uniform(0.0, taken) if attempt < 3 else 300.0
                if not killed_at(lambda a=arguments: command(a), seconds):
                    break
                killed += 1
                if (output / "model.safetensors").exists():
                    DTGCNN.load(output, backend="numpy")
                arguments = _train(folder, output, backend, "--resume")
            same = files_of_model(output) == whole
            found["kills"] += killed
            _count(found, "equal bits" if same else "other bits", f"run {run}", broken)
            shutil.rmtree(output, ignore_errors=True)
        return found

    return part


def commands(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, out = Counts(), folder / "out"
    runs = _commands(folder, out)
    for name, arguments in runs.items():
        out.mkdir()
        begin = time.perf_counter()
        killed_at(lambda a=arguments: command(a), 300.0)
        taken, whole = time.perf_counter() - begin, dict(files_of(out))
        for _ in range(count // len(runs)):
            shutil.rmtree(out)
            out.mkdir()
            found["kills"] += killed_at(lambda a=arguments: command(a), rng.uniform(0.0, taken))
            _count(found, _left(name, out, whole), name, broken)
        shutil.rmtree(out)
    return found


def _commands(folder: Path, out: Path) -> dict[str, list[str]]:
    """Commands that write into ``out``, by their names."""
    model, texts = str(_trained(folder, "numpy")), str(_texts(folder))
    return {
        "encode": ["encode", model, texts, "--output", str(out / "v.npy")],
        "augment": ["augment", texts, "--output", str(out / "a.csv")],
        "generate": ["generate", texts, "--output", str(out / "g.json")],
        "index": ["index", model, texts, "--output", str(out / "index")],
        "add": ["add", model, texts, "--output", str(out / "added")],
        "remove": ["remove", model, "--class", sentences()[1][0], "--output", str(out / "less")],
    }


def operations(
    fails: int | None,
) -> Callable[[Path, int, random.Random, list[str]], Counts]:
    """A training and every command, ended by or failing at an operation on a file, each in turn."""

    def part(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
        found, work, out = Counts(), folder / "work", folder / "work" / "out"
        whole_model = files_of_model(_trained(folder, "numpy"))
        commands_ = _commands(folder, out)
        runs = {"train": _train(folder, out / "m", "numpy"), **commands_}
        for name, arguments in runs.items():
            call = partial(command, arguments)
            shutil.rmtree(work, ignore_errors=True)
            out.mkdir(parents=True)
            total = ended_at(call, work, None).operations
            whole = dict(files_of(out))
            wanted = count // 2 if name == "train" else count // 2 // len(commands_)
            for at in sorted(rng.sample(range(1, total + 1), min(wanted, total))):
                shutil.rmtree(work)
                out.mkdir(parents=True)
                ended = ended_at(call, work, at, fails)
                where = f"{name}, operation {at} of {total}"
                if ended.code not in (0, None):
                    _count(found, _told(ended, work), where, broken)
                if name != "train":
                    _count(found, _left(name, out, whole), where, broken)
                    continue
                if ended.code != 0:
                    ended_at(partial(command, [*arguments, "--resume"]), work, None)
                same = files_of_model(out / "m") == whole_model
                _count(found, "equal bits" if same else "other bits", where, broken)
        return found

    return part


def files_of_model(model: Path) -> dict[str, bytes]:
    """The bytes of each array of a saved model; of none where it cannot be read."""
    try:
        arrays = read_arrays(model / "model.safetensors")[1]
    except CheckpointError:
        return {}
    return {name: array.tobytes() for name, array in arrays.items()}


def _told(ended: Ended, work: Path) -> str:
    """Whether a command that failed said so in one line that names a file."""
    last = ended.said.strip().splitlines()[-1:]
    told = ended.code == 2 and "Traceback" not in ended.said
    named = bool(last) and last[0].startswith("Error: ") and str(work) in last[0]
    return "told" if told and named else f"said {last}, exit code {ended.code}"


_FOLDERS = {
    "index": "index/model.safetensors",
    "add": "added/model.safetensors",
    "remove": "less/model.safetensors",
}


def _left(name: str, out: Path, whole: dict[str, bytes]) -> str:
    files = dict(files_of(out))
    main_file = _FOLDERS.get(name)
    if not files or (main_file is not None and main_file not in files):
        return "nothing"
    if files == whole:
        return "whole"
    if main_file is None:
        return "half a file"
    try:
        folder = (out / main_file).parent
        SearchIndex.load(folder, backend="numpy") if name == "index" else DTGCNN.load(folder)
    except CheckpointError as error:
        return f"damaged: {error}"
    return "whole"


GOOD = {"read", "refused", "told", "as before", "equal bits", "whole", "nothing"}


def _count(found: Counts, kind: str, where: str, broken: list[str]) -> None:
    found[kind if kind in GOOD else "BROKEN"] += 1
    if kind not in GOOD:
        broken.append(f"{kind}: {where[:500]}")


def _texts(folder: Path) -> Path:
    path = folder / "texts.csv"
    path.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(*sentences())))
    return path


def _train(folder: Path, output: Path, backend: str, *more: str) -> list[str]:
    place = ["--output", str(output), "--backend", backend]
    return ["train", str(_texts(folder)), *place, *QUICK, *more]


def _trained(folder: Path, backend: str) -> Path:
    output = folder / f"model-{backend}"
    if not output.exists():
        killed_at(lambda: command(_train(folder, output, backend)), 300.0)
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100, help="killed trainings, and commands")
    parser.add_argument("--backend", nargs="+", default=["numpy"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("dtgcnn").setLevel(logging.CRITICAL)
    few, kills = options.mutations // 50, options.kills
    parts = {
        "mutated files to the readers": (readers, options.mutations),
        "mutated values of settings": (settings, 5 * few),
        "changed bytes of a saved model": (saved, few),
        "commands that are killed": (commands, kills),
        "killed before an operation on a file": (operations(None), kills),
        "an operation on a file that fails": (operations(errno.EIO), kills),
        **{f"trainings that are killed, {b}": (trainings(b), kills // 2) for b in options.backend},
    }
    broken: list[str] = []
    print(f"seed {options.seed}\n\n| part | outcomes | seconds |\n|---|---|---|")
    for name, (part, count) in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            found = part(Path(folder), count, random.Random(f"{options.seed} {name}"), broken)
            shown = ", ".join(f"{kind} {n:,}" for kind, n in sorted(found.items()))
            print(f"| {name} | {shown} | {time.perf_counter() - begin:.0f} |", flush=True)
    print("\n".join(["", *broken[:50]]))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
