"""``dtgcnn compare``: the figures that ``evaluate`` shows of each model, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, TripletDataset, load_ops
from dtgcnn.cli import main

from ..conftest import blobs
from ..training.test_ensemble import CONFIG, train

pytest.importorskip("sklearn")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--backend", "numpy"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, another one and an ensemble, and rows that are no rows of theirs."""
    folder = tmp_path_factory.mktemp("compare")
    x, labels = blobs()
    dataset = TripletDataset.from_arrays(x, labels)
    ensemble = train(dataset)
    ensemble.save(folder / "both")
    for name, model in zip("ab", ensemble.models, strict=False):
        model.save(folder / name)
    rng = np.random.default_rng(1)
    more = (x + rng.normal(size=x.shape)).astype(np.float32)
    np.savez(folder / "rows.npz", x=more, y=labels)
    np.savez(folder / "seen.npz", x=x, y=labels)
    np.savez(folder / "plain.npz", x=more)
    np.savez(folder / "narrow.npz", x=more[:, :5], y=labels)
    (folder / "empty.csv").write_text("")
    assert CONFIG.input_dim == 12
    return folder


def cells(output: str) -> dict[str, list[str]]:
    lines = [line.split("|") for line in output.splitlines() if "|" in line]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}


def test_figures_are_those_of_evaluate(folder: Path, tmp_path: Path) -> None:
    names = ["a", "b", "both"]
    done = run(
        "compare", *(folder / n for n in names), folder / "rows.npz", "--json", tmp_path / "c"
    )
    assert done.exit_code == 0, done.output
    shown, told = cells(done.output), json.loads((tmp_path / "c").read_text())
    assert [own["model"] for own in told["models"]] == [str(folder / name) for name in names]
    heads = shown[""]
    assert {"recall@1", "map@r", "accuracy", "calibration error"} <= set(heads)
    assert len(shown) == 6
    for name, own in zip(names, told["models"], strict=True):
        alone = run("evaluate", folder / name, folder / "rows.npz", "--json", tmp_path / "e")
        assert alone.exit_code == 0
        expected: dict[str, Any] = json.loads((tmp_path / "e").read_text())
        classes = expected["classification"]
        figures = {**expected["trained"], "accuracy": classes["accuracy"]}
        figures["calibration error"] = classes["calibration_error"]
        for head, cell in zip(heads, shown[str(folder / name)], strict=True):
            assert cell == f"{100 * figures[head]:.1f}"
            assert own["figures"][head] == figures[head]
        assert own["input"] == {h: expected["input"][h] for h in own["input"]}
        assert own["rows_of_the_bank"] == 0
    inputs = dict(zip(heads, shown["input vectors"], strict=True))
    assert inputs["accuracy"] == "-"
    assert inputs["map@r"] == f"{100 * told['models'][0]['input']['map@r']:.1f}"


def test_input_vectors_are_named_where_they_differ(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = [f"the {animal} number {i},{animal}" for animal in ("cat", "dog") for i in range(12)]
    file.write_text("\n".join(["text,label", *rows]), "utf-8")
    shape = ("--set", "hidden_dims=[8]", "--set", "output_dim=8", "--k", 4, "--epochs", 1)
    for name, width in (("a", 8), ("b", 12), ("c", 12)):
        own = ("--output", tmp_path / name, "--set", f"input_dim={width}", "--no-map")
        done = run("train", file, "--encoder", "hashing", *own, *shape)
        assert done.exit_code == 0, done.output
    one = run("compare", tmp_path / "b", tmp_path / "c", file)
    assert one.exit_code == 0, one.output
    assert list(cells(one.output))[2:] == ["input vectors", *(str(tmp_path / n) for n in "bc")]
    two = run("compare", *(tmp_path / name for name in "abc"), file)
    inputs = [f"input vectors of {tmp_path / name}" for name in "ab"]
    assert list(cells(two.output))[2:] == [*inputs, *(str(tmp_path / n) for n in "abc")]


def test_accuracies_of_other_rows_are_told(folder: Path, tmp_path: Path) -> None:
    x, y = np.load(folder / "rows.npz")["x"], np.load(folder / "rows.npz")["y"]
    few = tmp_path / "few"
    DTGCNN.load(folder / "a", ops=load_ops("numpy")).remove(labels=["0"]).save(few)
    done = run("compare", folder / "a", few, folder / "rows.npz", "--json", tmp_path / "c")
    assert done.exit_code == 0, done.output
    known = int((y != 0).sum())
    counts = f"not of the same rows: {len(x)} for {folder / 'a'}, {known} for {few}"
    assert counts in done.output
    told = json.loads((tmp_path / "c").read_text())["models"]
    assert [own["rows_told"] for own in told] == [len(x), known]
    same = run("compare", folder / "a", folder / "b", folder / "rows.npz")
    assert "not of the same rows" not in same.output


def test_rows_of_a_bank_are_told(folder: Path) -> None:
    done = run("compare", folder / "a", folder / "b", folder / "seen.npz")
    assert done.exit_code == 0, done.output
    assert done.output.count("64 of the rows are in the bank of") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("a", "rows.npz"),
            "two or more models, and after them FILE, must be given, received 1 and",
        ),
        (("a", "absent", "rows.npz"), "absent: no model here"),
        (("a", "b", "narrow.npz"), "narrow.npz: its vectors must have the 12 columns"),
        (("a", "b", "plain.npz"), "plain.npz: nothing to measure"),
        (("a", "b", "empty.csv"), "empty.csv: the file is empty"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run("compare", *(folder / name for name in arguments), "--json", tmp_path / "c")
    assert done.exit_code == 2, done.output
    assert done.output.count("Error") == 1
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "c").exists()
