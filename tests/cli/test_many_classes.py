"""A file of very many classes takes a page of output, and time in proportion to its rows."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn.cli import main
from dtgcnn.data import read_file

CLASSES = 50_000
NAMES = np.array([f"class number {i}" for i in range(CLASSES)])


def test_class_names_of_an_archive_take_linear_time(tmp_path: Path) -> None:
    y = np.arange(2 * CLASSES) % CLASSES
    np.savez(tmp_path / "a.npz", x=np.ones((len(y), 1), np.float32), y=y, labels=NAMES)
    begin = time.perf_counter()
    raw = read_file(tmp_path / "a.npz")
    assert time.perf_counter() - begin < 15.0  # comparing each name with all others takes a minute
    assert raw.labels is not None
    assert raw.labels[: CLASSES : CLASSES - 1] == [NAMES[0], NAMES[-1]]


@pytest.mark.parametrize("split", [None, "half", "own"])
def test_check_prints_a_page(tmp_path: Path, split: str | None) -> None:
    y = np.repeat(np.arange(5000), 2)
    splits = {
        "half": np.where(y < 2500, "train", "test"),
        "own": np.array([f"split {i}" for i in range(len(y))]),
    }
    more = {} if split is None else {"split": splits[split]}
    x = np.random.default_rng(0).normal(size=(len(y), 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=y, labels=NAMES[:5000], **more)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "a.npz")])
    assert result.exit_code in (0, 1)
    assert len(result.output) < 3000


def test_every_command_prints_a_page(tmp_path: Path) -> None:
    classes, rng = 2000, np.random.default_rng(0)
    centres, y = rng.normal(size=(classes, 8)), np.repeat(np.arange(classes), 2)
    names = [f"class number {i}" for i in range(classes)]
    for name in ("a", "b"):
        x = (centres[y] + 0.1 * rng.normal(size=(len(y), 8))).astype(np.float32)
        np.savez(tmp_path / name, x=x, y=y, labels=names)
    np.savez(tmp_path / "new", x=x + 0.1)
    np.savez(tmp_path / "one", x=x[:1])
    model, *given = (str(tmp_path / name) for name in ("m", "a.npz", "b.npz", "new.npz", "one.npz"))
    file, other, new, one = given
    quick = ["--backend", "numpy", "--epochs", "1", "--no-map", "--set", "hidden_dims=[8]"]
    for command in (
        ["train", file, "--output", model, *quick],
        ["evaluate", model, other, "--json", f"{model}.json"],
        ["predict", model, other, "--output", f"{model}.csv"],
        ["index", model, file, "--output", f"{model}i"],
        ["search", f"{model}i", one],
        ["add", model, other, "--output", f"{model}a"],
        ["remove", model, other, "--output", f"{model}r"],
        ["next", model, new, "--count", "5"],
        ["discover", model, new, "--groups", "12"],
    ):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, (command, done.output)
        assert len(done.output) < 6000, command
