"""A short form of ``benchmarks/reliability.py``: changed bytes and kills, from fixed seeds."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.config import read_settings
from dtgcnn.data import read_file
from dtgcnn.evaluation import SearchIndex

from .conftest import SETTINGS, sentences
from .faults import corpus, ended_at, files_of, killed_at, mutated, outcome

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


def test_a_changed_model_is_refused_or_as_it_was(saved: Path) -> None:
    rng, texts = random.Random(7), sentences()[0][:5]
    expected = DTGCNN.load(saved, backend="numpy").encode(texts)
    for name, content in list(files_of(saved)):
        path = saved / name
        for _ in range(60):
            path.write_bytes(mutated(content, rng))
            try:
                found = DTGCNN.load(saved, backend="numpy").encode(texts)
            except CheckpointError:
                continue
            np.testing.assert_array_equal(found, expected)
        path.write_bytes(content)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_killed_command_leaves_a_whole_file_or_none(saved: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(*sentences())))
    out = tmp_path / "out"
    commands = {
        "encode": ["encode", str(saved), str(texts), "--output", str(out / "vectors.npy")],
        "augment": ["augment", str(texts), "--output", str(out / "more.csv")],
        "index": ["index", str(saved), str(texts), "--output", str(out / "index")],
    }
    for name, command in commands.items():
        out.mkdir()
        begin = time.perf_counter()
        assert not killed_at(lambda command=command: main(command), 60.0)
        taken, whole = time.perf_counter() - begin, dict(files_of(out))
        assert whole
        for _ in range(8):
            shutil.rmtree(out)
            out.mkdir()
            killed_at(lambda command=command: main(command), rng.uniform(0.0, taken))
            found = dict(files_of(out))
            if name != "index":
                assert found in ({}, whole)
            elif "index/model.safetensors" in found:
                assert SearchIndex.load(out / "index", backend="numpy").search(["the cat"])
        shutil.rmtree(out)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("fails", [None, errno.EIO], ids=["killed", "EIO"])
def test_any_operation_on_a_file_may_be_the_last_or_fail(
    saved: Path, tmp_path: Path, fails: int | None
) -> None:
    texts, work = tmp_path / "texts.csv", tmp_path / "work"
    texts.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(*sentences())))
    vectors, index = work / "vectors.npy", work / "index"
    work.mkdir()
    runs = {
        vectors: ["encode", str(saved), str(texts), "--output", str(vectors)],
        index: ["index", str(saved), str(texts), "--output", str(index)],
    }
    for output, command in runs.items():
        call = partial(main, command)
        whole = ended_at(call, work, None)
        assert whole.code == 0
        content = dict(files_of(work))
        for at in range(1, whole.operations + 1, max(1, whole.operations // 6)):
            shutil.rmtree(work)
            work.mkdir()
            ended = ended_at(call, work, at, fails)
            assert ended.code == (None if fails is None else 2) or dict(files_of(work)) == content
            if fails is not None and ended.code:
                line = ended.said.strip().splitlines()[-1]
                assert line.startswith("Error: "), ended.said
                assert str(work) in line
            if output == index and (index / "model.safetensors").exists():
                assert SearchIndex.load(index, backend="numpy").search(["the cat"])
            elif output == vectors:
                assert dict(files_of(work)) in ({}, content)
        shutil.rmtree(work)
        work.mkdir()


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
