"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from dtgcnn.storage.files import draft, lock, remove_drafts, replace_file, write_tensors


def test_drafts_of_killed_processes_are_deleted_and_no_others(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    stale = tmp_path / f".model.safetensors.dtgcnn-{ended.pid}-0123abcd"
    stale.write_bytes(b"half")
    recycled = tmp_path / f".folder.dtgcnn-{os.getpid()}-0123abcd"  # of a process of our number
    recycled.mkdir()
    (recycled / "file").write_text("half")
    others = [f".x.dtgcnn-{os.getppid()}-0123abcd", ".x.dtgcnn-mine", ".hidden", "x"]
    for name in others:
        (tmp_path / name).write_text("keep")
    with draft(tmp_path / "mine") as part:
        part.write_text("being written")
        replace_file(tmp_path / "new.json", b"{}")
        assert part.exists()
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "new.json"])


def test_arrays_are_written_as_safetensors_writes_them(tmp_path: Path) -> None:
    kinds = "bool uint8 int8 int16 uint16 float16 int32 uint32 float32 float64 int64 uint64 >f4"
    shapes: list[tuple[int, ...]] = [(), (0,), (3,), (2, 5), (4, 0)]
    rng, path, told = np.random.default_rng(0), tmp_path / "arrays", {"told": '{"é": 1}'}
    arrays = {
        f"{shape} é.{kind}": np.asarray(9 * rng.random(shape)).astype(kind)
        for kind in kinds.split()
        for shape in shapes
    }
    arrays["transposed"] = arrays["(2, 5) é.float32"].T
    write_tensors(path, arrays, told)
    theirs = save({name: np.asarray(array, order="C") for name, array in arrays.items()}, told)
    ours, expected = map(_parts, (path.read_bytes(), theirs))
    assert ours == expected
    for name, array in load_file(path).items():
        np.testing.assert_array_equal(array, arrays[name])


def _parts(content: bytes) -> tuple[object, bytes]:
    """The header of a safetensors file, and its data."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


@pytest.mark.parametrize("held", [False, True])
def test_an_interrupt_while_a_lock_is_taken_leaves_its_file_only_to_who_holds_it(
    held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, calls, flock = tmp_path / "lock", [], fcntl.flock

    def interrupted(handle: object, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            raise KeyboardInterrupt
        flock(handle, operation)

    with path.open("ab") as holder:
        if held:
            flock(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", interrupted)
        with pytest.raises(KeyboardInterrupt), lock(path, wait=True):
            pass
    assert path.exists() == held
