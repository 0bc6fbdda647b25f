"""A short form of ``benchmarks/reliability.py``: changed bytes and kills, from fixed seeds."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.config import read_settings
from dtgcnn.data import read_file

from .changes import SAVED, changed
from .conftest import SETTINGS, sentences
from .faults import corpus, files_of, mutated, outcome
from .kills import Campaign
from .writers import GROUPS, runs_of

MUTATIONS = 300
CORPUS = corpus()


def reader_of(path: Path) -> Callable[[], object]:
    if path.suffix == ".toml":
        return lambda: read_settings(path)
    return lambda: read_file(path)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.filterwarnings("ignore")
def test_changed_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    rng, path = random.Random(name), tmp_path / name
    path.write_bytes(CORPUS[name])
    assert outcome(reader_of(path)) == "read"
    for _ in range(MUTATIONS):
        path.write_bytes(content := mutated(CORPUS[name], rng))
        found = outcome(reader_of(path))
        assert found in ("read", "refused"), (found, content)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loader, _ = TripletDataset.from_labelled(*sentences()).create_dataloaders(24, 1.0)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    return model.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.filterwarnings("ignore")
def test_what_is_saved_and_changed_is_refused_or_as_it_was(name: str, tmp_path: Path) -> None:
    broken: list[str] = []
    found = changed(tmp_path, name, 40, random.Random(name), broken)
    assert not broken
    anew = found["made anew"] + (found["as before"] if name.startswith("state") else 0)
    assert found["refused"] + anew > 10


FORKED = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
"""Of tests of processes that are ended, in which no warning is one of the test's own."""


@FORKED
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", [*GROUPS, "training, numpy"])
def test_what_is_killed_is_whole_or_goes_on(group: str, tmp_path: Path) -> None:
    broken: list[str] = []
    campaign = Campaign(tmp_path / "work", random.Random(group), broken)
    campaign.killed(runs_of(group, tmp_path, campaign.out), FEW[group])
    assert not broken
    assert campaign.found["kills"] > 0


@FORKED
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fails", [None, errno.EIO, errno.EDQUOT], ids=["killed", "EIO", "quota"])
@pytest.mark.parametrize("group", [*GROUPS, "training, numpy"])
def test_any_operation_on_a_file_may_be_the_last_or_fail(
    group: str, fails: int | None, tmp_path: Path
) -> None:
    broken: list[str] = []
    campaign = Campaign(tmp_path / "work", random.Random(group), broken)
    campaign.operations(runs_of(group, tmp_path, campaign.out), FEW[group], fails)
    assert not broken
    assert campaign.found["kills" if fails is None else "told"] > 0


FEW = {
    "commands": 13,
    "saves over what is there": 9,
    "caches": 6,
    "training of an ensemble": 3,
    "training, numpy": 4,
}
"""How many are ended of each group."""


LIMITED = """
import resource, signal, sys

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

from dtgcnn.cli import main

main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on files")
@pytest.mark.parametrize("name", ["train", "encode", "index", "generate"])
def test_a_disk_that_is_full_is_told_with_the_file(saved: Path, tmp_path: Path, name: str) -> None:
    texts, out = tmp_path / "texts.csv", tmp_path / "out"
    texts.write_text("text,label\n" + 8 * "".join(f"{t},{c}\n" for t, c in zip(*sentences())))
    shutil.copytree(saved, tmp_path / "model")
    command = {
        "train": ["train", str(texts), "--output", str(tmp_path / "model"), "--overwrite"],
        "encode": ["encode", str(saved), str(texts), "--output", str(tmp_path / "out.npy")],
        "index": ["index", str(saved), str(texts), "--output", str(out)],
        "generate": ["generate", str(texts), "--output", str(tmp_path / "out.json")],
    }[name]
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, *command], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2, run.stderr
    assert run.stderr.splitlines()[-1].startswith(f"Error: {tmp_path}"), run.stderr
    assert run.stderr.splitlines()[-1].endswith(": File too large")
    assert DTGCNN.load(tmp_path / "model", backend="numpy").encode(["the cat"]).any()
    assert not list(tmp_path.glob("out.*"))
    assert not list(files_of(out))
