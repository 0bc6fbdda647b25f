"""A mapped file is held to its checksum once, and again when it was changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import CheckpointError
from dtgcnn.storage import files, mapping
from dtgcnn.storage.files import write_arrays


def test_a_checksum_is_computed_once_and_after_each_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Path] = []

    def check(path: Path, arrays: object) -> None:
        computed.append(path)
        files.check_arrays(path, arrays)  # type: ignore[arg-type]

    monkeypatch.setattr(mapping, "check_arrays", check)
    path = tmp_path / "a.safetensors"
    arrays = {"x": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 4), np.float32)}
    write_arrays(path, arrays, {"format": "f"})
    for _ in range(3):
        np.testing.assert_array_equal(mapping.map_arrays(path, "f")[1]["x"], arrays["x"])
    assert computed == [path]

    content = path.read_bytes()
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=times)  # a change that hides behind the time of the file before
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"a\.safetensors: damaged"):
            mapping.map_arrays(path, "f")
    path.write_bytes(content)
    mapping.map_arrays(path, "f")
    assert len(computed) == 4

    copy = Path(shutil.copytree(tmp_path, tmp_path / "copy"))
    mapping.map_arrays(copy / path.name, "f")
    mapping.map_arrays(copy / path.name, "f")
    assert computed[4:] == [copy / path.name]
    (tmp_path / ".checked.json").write_text("[")
    mapping.map_arrays(path, "f")
    mapping.map_arrays(path, "f")
    assert len(computed) == 6
