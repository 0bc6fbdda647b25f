"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dtgcnn.storage.files import draft, remove_drafts, replace_file


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
