"""File systems that are full or read-only, and clocks that go back: one message, and the last good
model loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import sentences
from .faults import ended_at, files_of
from .writers import Run, bits_of, runs_of, trained

MOUNTED = """
import json, subprocess, sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from dtgcnn import DTGCNN
from dtgcnn.cli import main

kind, model, texts, place = sys.argv[1:]
place = Path(place)


def mount(*arguments):
    subprocess.run(["mount", *arguments, str(place)], check=True)


def left():
    return sum(path.stat().st_blocks for path in place.rglob("*")) * 512


mount("-t", "tmpfs", "-o", "size=64m", "tmpfs")
subprocess.run(["cp", "-r", model, str(place / "model")], check=True)
mount("-o", "remount," + ("ro" if kind == "read-only" else f"size={left() + 8192}"))
last = str(place / "model")
commands = {
    "train over": ["train", texts, "--output", last, "--overwrite", "--backend", "numpy"],
    "train": ["train", texts, "--output", str(place / "m"), "--backend", "numpy"],
    "encode": ["encode", model, texts, "--output", str(place / "v.npy")],
    "generate": ["generate", texts, "--output", str(place / "g.json")],
    "augment": ["augment", texts, "--output", str(place / "a.csv")],
    "index": ["index", model, texts, "--output", str(place / "i")],
    "index over": ["index", model, texts, "--output", last, "--overwrite"],
    "add": ["add", model, texts, "--output", str(place / "j")],
    "remove": ["remove", model, "--class", "food", "--output", str(place / "k")],
    "report": ["report", model, texts, "--output", str(place / "r.html"), "--method", "pca"],
}
found = {}
expected = DTGCNN.load(model, backend="numpy").encode(["the cat"])
for name, arguments in commands.items():
    done = CliRunner().invoke(main, arguments)
    files = (str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    there = [name for name in files if not name.startswith("model/")]
    same = np.array_equal(DTGCNN.load(last, backend="numpy").encode(["the cat"]), expected)
    found[name] = [done.exit_code, done.output.strip().splitlines()[-1], there, same]
print(json.dumps(found))
"""


def _may_mount() -> bool:
    tried = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") is not None and not subprocess.run(tried, check=False).returncode


@pytest.mark.skipif(sys.platform != "linux" or not _may_mount(), reason="may not mount")
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_file_system_that_takes_nothing_is_told(kind: str, tmp_path: Path) -> None:
    model, texts, place = trained(tmp_path), tmp_path / "texts.csv", tmp_path / "place"
    rows = [f"{text} {i},{c}\n" for i in range(12) for text, c in zip(*sentences(), strict=True)]
    texts.write_text("text,label\n" + "".join(rows))
    place.mkdir()
    command = [sys.executable, "-c", MOUNTED, kind, str(model), str(texts), str(place)]
    done = subprocess.run(["unshare", "-rm", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whys: tuple[str, ...] = ("No space left on device",)
    if kind == "read-only":
        whys = ("Read-only file system", "cannot be written to")
    for name, (code, said, there, same) in json.loads(done.stdout).items():
        assert code == 2, (name, said)
        assert said.startswith("Error: "), (name, said)
        assert str(place) in said, (name, said)
        assert any(why in said for why in whys), (name, said)
        assert there in ([], ["m/.state/run.json"]), (name, there)  # how a training was begun
        assert same, name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seconds", [-1e9, 1e9])
def test_a_clock_that_is_set_changes_nothing(tmp_path: Path, seconds: float) -> None:
    """Files are from long ago, or from years to come, when a killed training goes on, and the
    clock goes back while it does."""
    work = tmp_path / "work"
    out = work / "out"
    (run,) = runs_of("training, numpy", tmp_path, out).values()
    out.mkdir(parents=True)
    total = ended_at(run.call, work, None).operations
    whole = bits_of(out)
    for path in work.iterdir():
        shutil.rmtree(path)
    out.mkdir()
    assert ended_at(run.call, work, total // 2).code is None
    for path in work.rglob("*"):
        then = path.stat().st_mtime + seconds
        os.utime(path, (then, then))
    ended = ended_at(lambda: _backwards(run), work, None)
    assert ended.code == 0, ended.said
    assert bits_of(out) == whole
    assert not [name for name, _ in files_of(out) if "dtgcnn-" in name]


def _backwards(run: Run) -> None:
    now = [time.time()]

    def back() -> float:
        now[0] -= 3600.0
        return now[0]

    time.time = back
    time.time_ns = lambda: int(1e9 * back())
    run.call()
