"""The cache of encoded texts: never damaged, and never in the way."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dtgcnn.data.encoders.cache import EncoderCache, cache_folder

TEXTS = [f"text {i}" for i in range(1300)]
ROWS = np.random.default_rng(0).normal(size=(1300, 6)).astype(np.float32)


def keep(folder: Path, texts: list[str] = TEXTS, fingerprint: str = "f") -> Path:
    with EncoderCache(fingerprint, 6, folder) as cache:
        cache.add(texts, ROWS[: len(texts)])
        assert cache.path is not None
        return cache.path


def read(folder: Path | None, texts: list[str] = TEXTS) -> tuple[list[int], np.ndarray]:
    out = np.zeros((len(texts), 6), np.float32)
    with EncoderCache("f", 6, folder) as cache:
        return cache.fill(texts, out), out


def test_rows_come_back_bit_for_bit(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "folder")
    missing, out = read(tmp_path / "new" / "folder", [*TEXTS, "another", *TEXTS[::-1]])
    assert missing == [1300]
    np.testing.assert_array_equal(out[:1300], ROWS)
    np.testing.assert_array_equal(out[1301:], ROWS[::-1])
    with EncoderCache("f", 6, tmp_path / "new" / "folder") as cache:
        assert cache.size > ROWS.nbytes
    assert read(tmp_path / "elsewhere")[0] == list(range(1300))


def test_another_encoder_has_other_rows(tmp_path: Path) -> None:
    keep(tmp_path, fingerprint="other")
    assert len(read(tmp_path)[0]) == 1300


def test_without_a_folder_nothing_is_kept() -> None:
    with EncoderCache("f", 6, None) as cache:
        cache.add(TEXTS, ROWS)
        assert cache.size == 0
    assert len(read(None)[0]) == 1300


def test_texts_are_not_kept(tmp_path: Path) -> None:
    path = keep(tmp_path / "new", ["a secret text"])
    assert b"secret" not in path.read_bytes()
    assert os.name != "posix" or path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_file_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = keep(tmp_path)
    path.write_bytes(content)
    missing, _ = read(tmp_path)
    assert len(missing) == 1300
    assert f"{path}: this cache of encoded texts cannot be used" in caplog.text
    keep(tmp_path)
    assert path.read_bytes() == content
    assert caplog.text.count("cannot be used") == 2


def test_damage_in_the_middle_gives_no_wrong_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = keep(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        damaged = bytearray(whole)
        start = rng.integers(100, len(whole) - 50)
        damaged[start : start + 50] = rng.bytes(50)
        path.write_bytes(damaged)
        caplog.clear()
        missing, out = read(tmp_path)
        known = np.setdiff1d(np.arange(1300), missing)
        np.testing.assert_array_equal(out[known], ROWS[known])
        assert (
            not missing
            or "made anew" in caplog.text
            or "cannot be used" in caplog.text
            or (
                len(missing) < 60  # a key was hit: its text is unknown
            )
        )
        found += bool(missing)
    assert found > 10


def test_a_damaged_row_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = keep(tmp_path, TEXTS[:3])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET row = zeroblob(28) WHERE rowid = 2")
        connection.execute("UPDATE rows SET row = zeroblob(5) WHERE rowid = 3")
    connection.close()
    missing, _ = read(tmp_path, TEXTS[:3])
    assert missing == [1, 2]
    assert "2 damaged rows are made anew" in caplog.text
    keep(tmp_path, TEXTS[:3])
    assert read(tmp_path, TEXTS[:3])[0] == []


def test_a_file_in_the_place_of_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("mine")
    assert len(read(tmp_path / "file")[0]) == 1300
    assert "cannot be used" in caplog.text
    assert (tmp_path / "file").read_text() == "mine"


def test_a_lock_that_is_not_given_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep(tmp_path, TEXTS[:3])
    monkeypatch.setattr("dtgcnn.data.encoders.cache._PATIENCE", 0.1)
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    assert len(read(tmp_path)[0]) == 1300
    assert "database is locked" in caplog.text
    holder.close()
    assert len(read(tmp_path)[0]) == 1297


WRITER = """
import sys
import numpy as np
from pathlib import Path
from dtgcnn.data.encoders.cache import EncoderCache

rows = np.random.default_rng(0).normal(size=(1300, 6)).astype(np.float32)
begin, end, times = map(int, sys.argv[2:])
with EncoderCache("f", 6, Path(sys.argv[1])) as cache:
    print("ready", flush=True)
    for _ in range(times):
        for i in range(begin, end, 10):
            cache.add([f"text {j}" for j in range(i, i + 10)], rows[i : i + 10])
"""


def writer(folder: Path, *arguments: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    parts = [(0, 500), (400, 900), (800, 1300)]
    writers = [writer(tmp_path, begin, end, 1) for begin, end in parts]
    for process in writers:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
    missing, out = read(tmp_path)
    assert missing == []
    np.testing.assert_array_equal(out, ROWS)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX systems")
def test_a_killed_writer_damages_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for delay in (0.01, 0.05, 0.2):
        process = writer(tmp_path, 0, 1300, 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        missing, out = read(tmp_path)
        known = np.setdiff1d(np.arange(1300), missing)
        np.testing.assert_array_equal(out[known], ROWS[known])
    assert len(known)
    assert caplog.text == ""
    keep(tmp_path)
    assert read(tmp_path)[0] == []


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("DTGCNN_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.setenv("DTGCNN_CACHE", "off")
    assert cache_folder() is None
    monkeypatch.delenv("DTGCNN_CACHE")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder() == Path("/cache/dtgcnn")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/me/.cache/dtgcnn")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/me/Library/Caches/dtgcnn")


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dtgcnn")
