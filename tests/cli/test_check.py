"""``dtgcnn check``: what it prints, and the code that it ends in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from dtgcnn.cli import main
from dtgcnn.data import sample_path

from ..data.test_doctor import rows_of, table


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    sound = run(sample_path(), "--json", tmp_path / "found.json")
    assert sound.exit_code == 0, sound.output
    assert "nothing was found" in sound.output
    assert json.loads((tmp_path / "found.json").read_text())["figures"]["items"] == 672
    rows = rows_of({"a": 9, "b": 9})
    rows += [{**row, "split": "test"} for row in rows]
    leaking = run(table(tmp_path / "leaks.csv", rows), "--places", 3)
    assert leaking.exit_code == 1
    assert "fault: leak: 18 rows outside of train" in leaking.output
    assert leaking.output.count(" and line ") == 3
    assert "    and 15 more" in leaking.output
    assert run(tmp_path / "absent.csv").exit_code == 2
    assert run(tmp_path / "leaks.csv", "--batch-size", 2).exit_code == 2
