"""What writes files, and what is there after it: see ``kills.py``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dtgcnn import DTGCNN, CheckpointError, DTGCNNConfig, Ensemble, TripletDataset
from dtgcnn.cli import main as command
from dtgcnn.data.augmentation.rewriter import Rewriter
from dtgcnn.data.encoders.cache import EncoderCache
from dtgcnn.errors import DTGCNNError
from dtgcnn.evaluation import SearchIndex
from dtgcnn.storage import holds_ensemble, read_ensemble
from dtgcnn.storage.files import read_arrays, replace_file
from dtgcnn.storage.index_file import holds_index
from dtgcnn.training import load_embedder

from .conftest import SETTINGS, sentences
from .faults import files_of, killed_at

QUICK = ["--set", "hidden_dims=[8]", "--set", "output_dim=8", "--epochs", "6", "--k", "3"]
QUICK += ["--set", "input_dim=20", "--batch-size", "12", "--save-every", "1", "--no-map", "--quiet"]

LONGEST = 300.0
TEXTS = [f"text {i}" for i in range(400)]


class Run(NamedTuple):
    """Something that writes into a folder.

    Attributes:
        call: does it. Of one that ``goes_on`` a second call goes on with what the first left.
        state: what is there after it, to be compared; None where nothing is.
        before: a folder that it replaces; None where there is nothing before.
    """

    call: Callable[[], object]
    state: Callable[[Path], object]
    goes_on: bool = False
    before: Path | None = None


def runs_of(group: str, folder: Path, out: Path) -> dict[str, Run]:
    """Those of one of ``GROUPS`` by name, or of ``"training, BACKEND"``; they write into ``out``
    and read from ``folder``."""
    if group.startswith("training, "):
        return {"train": _training(folder, out, group.removeprefix("training, "))}
    return GROUPS[group](folder, out)


# -- What there is


def trained(folder: Path, backend: str = "numpy") -> Path:
    """A model of short texts."""
    output = folder / f"model-{backend}"
    if not output.exists():
        arguments = ["train", str(texts(folder)), "--output", str(output), "--backend", backend]
        assert not killed_at(lambda: command([*arguments, *QUICK]), LONGEST)
    return output


def texts(folder: Path) -> Path:
    """The texts that it is trained on, and their classes."""
    path = folder / "texts.csv"
    path.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(*sentences())))
    return path


def _commands(folder: Path, out: Path) -> dict[str, Run]:
    model, rows, new = str(trained(folder)), str(texts(folder)), folder / "new.txt"
    new.write_text("".join(f"{text} again\n" for text in sentences()[0]))
    files = {
        "encode": (model, rows, "--output", "v.npy"),
        "augment": (rows, "--output", "a.csv"),
        "generate": (rows, "--output", "g.json"),
        "predict": (model, rows, "--output", "p.csv"),
        "next": (model, str(new), "--count", "3", "--output", "n.csv"),
        "discover": (model, rows, "--groups", "4", "--output", "d.csv"),
        "evaluate": (model, rows, "--json", "e.json"),
        "check": (rows, "--json", "c.json"),
        "plot": (model, rows, "--method", "pca", "--output", "p.png"),
        "report": (model, rows, "--method", "pca", "--output", "r.html"),
    }
    folders = {
        "index": (model, rows, "--output", "index"),
        "add": (model, rows, "--output", "added"),
        "remove": (model, "--class", sentences()[1][0], "--output", "less"),
    }
    runs = {}
    for name, given in {**files, **folders}.items():
        *arguments, last = given
        call = partial(command, [name, *arguments, str(out / last)])
        runs[name] = Run(call, _answers if name in folders else _files)
    return runs


def _saves(folder: Path, out: Path) -> dict[str, Run]:
    """Saves over a model, an ensemble and an index of other answers."""
    rows, before = str(texts(folder)), folder / "before"
    model, other = DTGCNN.load(trained(folder), backend="numpy"), _other(folder)
    ensembles = [Ensemble([model, other], mode) for mode in ("mean", "procrustes")]
    if not before.exists():
        other.save(before / "model")
        ensembles[0].save(before / "ensemble")
        other.save(before / "small")
        few = folder / "few.csv"
        few.write_text("".join(Path(rows).read_text().splitlines(keepends=True)[:30]))
        arguments = [str(before / "small"), str(few), "--output", str(before / "index")]
        assert not killed_at(lambda: command(["index", *arguments]), LONGEST)
    over = ["index", str(trained(folder)), rows, "--output", str(out / "x"), "--overwrite"]
    calls: dict[str, Callable[[], object]] = {
        "model": partial(_said, lambda: model.save(out / "x", overwrite=True)),
        "ensemble": partial(_said, lambda: ensembles[1].save(out / "x", overwrite=True)),
        "index": lambda: command(over),
    }
    return {name: Run(call, _answers, False, before / name) for name, call in calls.items()}


def _other(folder: Path) -> DTGCNN:
    """A model of the same encoder and shape and of other parameters."""
    model = DTGCNN.load(trained(folder), backend="numpy")
    head: Any = model.params["head"]
    head["bias"] = head["bias"] + 1.0
    model.refresh_bank()
    return model


def _caches(_: Path, out: Path) -> dict[str, Run]:
    rows = np.random.default_rng(0).normal(size=(len(TEXTS), 6)).astype(np.float32)

    def encoded() -> None:
        found = np.zeros_like(rows)
        with EncoderCache("f", 6, out / "cache") as cache:
            missing = cache.fill(TEXTS, found)
            for start in range(0, len(missing), 50):
                some = missing[start : start + 50]
                found[some] = rows[some]
                cache.add([TEXTS[i] for i in some], rows[some])
        replace_file(out / "rows", found.tobytes())

    def asked() -> None:
        found = Rewriter("paraphrase", shouted, out / "cache").propose(TEXTS, ())
        replace_file(out / "rows", repr(found).encode())

    return {
        "encoder": Run(partial(_said, encoded), _sound, goes_on=True),
        "answers": Run(partial(_said, asked), _sound, goes_on=True),
    }


def _said(call: Callable[[], object]) -> None:
    """What Python raises of bad input and files, told as the commands tell it."""
    try:
        call()
    except (DTGCNNError, ValueError, OSError) as error:
        print(f"Error: {error}", flush=True)
        raise SystemExit(2) from None


def shouted(given: list[str]) -> list[str]:
    """Stands for a model that rewrites."""
    return [f"{text} now" for text in given]


def _training(folder: Path, out: Path, backend: str) -> Run:
    place = ["--output", str(out / "m"), "--backend", backend, "--resume"]
    return Run(partial(command, ["train", str(texts(folder)), *place, *QUICK]), _answers, True)


def _ensemble(_: Path, out: Path) -> dict[str, Run]:
    def call() -> None:
        data = TripletDataset.from_labelled(*sentences())
        loader, val_loader = data.create_dataloaders(24, 0.8)
        config = DTGCNNConfig(**{**SETTINGS, "num_epochs": 3})
        kept: dict[str, Any] = {"state_dir": out / ".state", "resume": True, "progress": False}
        made = Ensemble.train(config, loader, val_loader, seeds=(0, 1), backend="numpy", **kept)
        made.save(out / "m", overwrite=True)

    return {"ensemble": Run(partial(_said, call), _answers, goes_on=True)}


GROUPS: dict[str, Callable[[Path, Path], dict[str, Run]]] = {
    "commands": _commands,
    "saves over what is there": _saves,
    "caches": _caches,
    "training of an ensemble": _ensemble,
}


# -- What is left


def bits_of(out: Path) -> dict[str, bytes]:
    """The arrays of the models that were saved in ``out``, and the rows of a cache's user."""
    found: dict[str, bytes] = {}
    for folder in _saved_in(out):
        members = read_ensemble(folder)[0] if holds_ensemble(folder) else [folder]
        files = [member / "model.safetensors" for member in members]
        files += [folder / "ensemble.safetensors"] if holds_ensemble(folder) else []
        for number, file in enumerate(files):
            arrays = read_arrays(file)[1]
            found |= {f"{folder.name} {number} {k}": a.tobytes() for k, a in arrays.items()}
    return found | {path.name: path.read_bytes() for path in out.glob("rows")}


def _saved_in(out: Path) -> list[Path]:
    mains = ("model.safetensors", "ensemble.safetensors")
    return [p for p in sorted(out.iterdir()) if any((p / name).exists() for name in mains)]


def _files(out: Path) -> object:
    return dict(files_of(out)) or None


def _answers(out: Path) -> object:
    """What the model, ensemble or index in ``out`` says of some texts; None where there is none."""
    found: list[object] = []
    for folder in _saved_in(out):
        found.append(load_embedder(folder, backend="numpy").encode(sentences()[0][:5]).tobytes())
        if holds_index(folder / "model.safetensors"):
            found.append(repr(SearchIndex.load(folder, backend="numpy").search(["the cat"])))
    return found or None


def _sound(out: Path) -> object:
    """Nothing, of a cache that its database finds in order."""
    for path in [*out.glob("cache"), *out.glob("cache/*.sqlite")]:
        if path.is_file():
            with closing(sqlite3.connect(path)) as database:
                found = database.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise CheckpointError(found)
    return None
