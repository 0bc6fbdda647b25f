"""What a template gives on the bundled sample, by the table that ``train`` prints."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from dtgcnn.cli import main


def test_the_small_template_ends_above_the_input_vectors_and_tells_an_early_stop(
    tmp_path: Path,
) -> None:
    runner, sample, output = CliRunner(), str(tmp_path / "s.csv"), tmp_path / "m"
    assert runner.invoke(main, ["sample", sample]).exit_code == 0
    command = ["train", sample, "--output", str(output), "--backend", "numpy", "--no-map"]
    result = runner.invoke(main, [*command, "--template", "small"])
    assert result.exit_code == 0, result.output
    figures = json.loads((output / "metrics.json").read_text())
    assert len(figures["history"]) < 100
    assert figures["trained"]["map@r"] > figures["input"]["map@r"]
