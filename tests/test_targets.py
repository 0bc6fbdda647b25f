"""The table of ``benchmarks/targets.py`` names every target that it was asked for."""

from __future__ import annotations

import os
import subprocess
import sys

from .conftest import ROOT


def test_what_is_measured_and_what_is_not_is_told() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "targets.py"), "--tiny"]
    parts = ["--only", "train", "start", "elsewhere", "--runs", "2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *parts], capture_output=True, text=True, check=True, env=env)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith("| ")
    ]
    assert [row[0][:2] for row in rows[1:]] == ["2:", "8:", "8:", "2:", "3:", "6:", "9:"]
    assert rows[1][2:] == ["", "not measured", "needs --file and --beside"]
    for _, asked, reached, verdict, _ in rows[2:4]:
        most = max(map(float, reached.split(", ")))
        assert reached.count(",") == 1
        assert (verdict == "met") == (most <= float(asked))
