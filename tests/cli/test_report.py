"""``dtgcnn report``: from a folder that train left to a page; wrong input ends with code 2."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dtgcnn.cli import main

pytest.importorskip("bokeh", reason="reports are drawn with bokeh")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_from_training_to_the_page(text_file: Path, tmp_path: Path) -> None:
    model, output = tmp_path / "model", tmp_path / "report.html"
    small = ("--set", "hidden_dims=[16]", "--set", "output_dim=8", "--backend", "numpy")
    done = run("train", text_file, "--output", model, "--no-map", "--epochs", 3, *small)
    assert done.exit_code == 0, done.output
    told = json.loads((model / "metrics.json").read_text())
    assert told["data"]["file"].endswith("texts.csv")
    asked = ("report", model, text_file, "--output", output, "--method", "pca")
    done = run(*asked, "--backend", "numpy")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{output}: ")
    page = output.read_text("utf-8")
    assert told["verdict"][:40] in page
    assert "3 epochs, of which the held-out rows chose" in page
    assert "texts.csv" in page

    again = run(*asked)
    assert again.exit_code == 2
    assert "--overwrite replaces it" in again.output
    for wrong, said in (
        (("--output", tmp_path / "r.txt"), "--output must end in .html"),
        (("--output", tmp_path / "r.html", "--reject", "2"), "--reject must be above 0"),
        (("--output", tmp_path / "no" / "r.html"), "does not exist"),
    ):
        done = run(*asked[:3], *wrong)
        assert done.exit_code == 2
        assert said in done.output
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    try:
        named.write_bytes(text_file.read_bytes())
    except OSError:  # names must be UTF-8 here, as on a Mac
        pass
    else:
        done = run(*asked[:2], named, "--output", tmp_path / "cafe.html", *asked[5:])
        assert done.exit_code == 0, done.output
        assert "caf?.csv" in (tmp_path / "cafe.html").read_text("utf-8")
    (model / "metrics.json").write_text("{")
    done = run(*asked, "--overwrite")
    assert done.exit_code == 2
    assert "metrics.json: not valid JSON" in done.output
    assert output.read_text("utf-8") == page
