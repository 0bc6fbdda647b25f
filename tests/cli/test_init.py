"""``dtgcnn train --init``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_wine

from dtgcnn import DTGCNN, SaveEveryEpoch
from dtgcnn.cli import main
from dtgcnn.cli.main import INTERRUPTED
from dtgcnn.data import with_pseudo_labels_by

from ..conftest import sentences

SHAPE = ["--set", "hidden_dims=[8]", "--set", "output_dim=8", "--k", "3", "--set", "input_dim=20"]


def train(file: Path, output: Path, *more: str) -> Result:
    options = ["--backend", "numpy", "--no-map", "--batch-size", "12", "--epochs", "2"]
    return CliRunner().invoke(main, ["train", str(file), "--output", str(output), *options, *more])


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return result.output.strip().splitlines()[-1]


@pytest.fixture
def before(text_file: Path, tmp_path: Path) -> Path:
    """A model of the texts of the file."""
    done = train(text_file, tmp_path / "before", *SHAPE)
    assert done.exit_code == 0, done.output
    return tmp_path / "before"


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """The texts of the file, and others: of one class more and another less."""
    texts, labels = sentences()
    rows = [(text, label) for text, label in zip(texts, labels, strict=True) if label != "food"]
    rows += [(text.replace("today", "at night"), label) for text, label in rows]
    rows += [(f"a {colour} car number {i}", "cars") for i in range(8) for colour in ("red", "blue")]
    path = tmp_path / "more.csv"
    path.write_text("\n".join(["text,label", *(f"{text},{label}" for text, label in rows)]) + "\n")
    return path


def test_a_model_goes_on_with_more_data(before: Path, more: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    done = train(more, output, "--init", str(before), "--learning-rate", "0.01")
    assert done.exit_code == 0, done.output
    first, model = (DTGCNN.load(folder, backend="numpy") for folder in (before, output))
    assert model.config == first.config.replace(learning_rate=0.01)
    assert model.classes_ == ["animals", "cars", "weather"]
    assert "classes that are new to the model: cars; " in done.stderr
    assert "no row here and leave it: food" in done.stderr
    assert "held-out rows are not new to the model and do not measure it" in done.stderr
    assert first.start is not None
    assert model.start is not None
    for name, array in first.start.arrays.items():
        assert np.array_equal(array, model.start.arrays[name])
    folder = next(before.glob("encoder-*"))
    for file in folder.iterdir():
        assert file.read_bytes() == (output / folder.name / file.name).read_bytes()
    run = json.loads((output / "metrics.json").read_text())
    at = run["start"] if run["best_epoch"] == 0 else run["history"][run["best_epoch"] - 1]
    assert at["val_map@r"] >= run["start"]["val_map@r"]


def test_no_step_is_taken_that_does_not_help(before: Path, more: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    done = train(more, output, "--init", str(before), "--learning-rate", "1e-12")
    assert done.exit_code == 0, done.output
    assert "the steps added nothing, the model as it was is kept: val_map@r" in done.stderr
    first, model = (DTGCNN.load(folder, backend="numpy") for folder in (before, output))
    weight = [m.params["head"]["weight"] for m in (first, model)]
    assert np.array_equal(*weight)


def test_the_same_rows_ask_for_a_number_of_epochs(
    before: Path, text_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "m"
    arguments = ["train", str(text_file), "--output", str(output), "--init", str(before)]
    said = refused(CliRunner().invoke(main, [*arguments, "--backend", "numpy"]))
    assert "nothing tells how long to go on: name --epochs" in said
    assert not output.exists()
    done = train(text_file, output, "--init", str(before))
    assert done.exit_code == 0, done.output
    assert (
        "no row that could be held out is new to the model: the last epoch is kept" in done.stderr
    )
    first, model = (DTGCNN.load(folder, backend="numpy") for folder in (before, output))
    assert not np.array_equal(first.params["head"]["weight"], model.params["head"]["weight"])
    assert model.calibration.arrays.keys() == first.calibration.arrays.keys()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "hidden_dims=[8, 8]"], "hidden_dims must be the model's (8,), received (8, 8)"),
        (["--set", "output_dim=4"], "output_dim must be the model's 8, received 4"),
        (["--set", "input_dim=12"], "input_dim must be the model's 20, received 12"),
        (["--set", "start='none'"], "start must be the model's 'closed_form', received 'none'"),
        (["--k", "4"], "graph_k_neighbors must be the model's 3, received 4"),
        (["--encoder", "hashing"], "--encoder does not go with --init"),
    ],
)
def test_what_would_shape_another_model_is_refused(
    before: Path, more: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    assert said in refused(train(more, tmp_path / "m", "--init", str(before), *options))
    assert not (tmp_path / "m").exists()


def test_other_folders_and_data_are_refused(before: Path, more: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    said = refused(train(more, output, "--init", str(tmp_path / "none")))
    assert f"--init {tmp_path / 'none'}: no model here" in said
    said = refused(train(more, before, "--init", str(before), "--overwrite"))
    assert "--output must be another folder than --init" in said
    index = tmp_path / "index"
    made = CliRunner().invoke(main, ["index", str(before), str(more), "--output", str(index)])
    assert made.exit_code == 0, made.output
    said = refused(train(more, output, "--init", str(index)))
    assert f"--init {index}: must hold a trained model, it holds an index" in said
    rng = np.random.default_rng(0)
    vectors, of_vectors = tmp_path / "v.npz", tmp_path / "of_vectors"
    np.savez(vectors, x=rng.normal(size=(60, 7)), y=np.arange(60) % 3)
    said = refused(train(vectors, output, "--init", str(before)))
    assert (
        f"{vectors}: its vectors must have the 20 columns that the model in {before} takes "
        "(input_dim), they have 7" in said
    )
    done = train(vectors, of_vectors, "--set", "hidden_dims=[8]", "--set", "output_dim=8")
    assert done.exit_code == 0, done.output
    said = refused(train(more, output, "--init", str(of_vectors)))
    assert f"{more}: holds texts, and the model in {of_vectors} has no text encoder" in said
    assert "it was trained on vectors of 7 columns" in said
    assert not output.exists()


def test_an_interrupted_run_goes_on_to_the_bit(
    before: Path, more: Path, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, output, other = tmp_path / "whole", tmp_path / "m", tmp_path / "other"
    init = ["--init", str(before), "--learning-rate", "0.01", "--save-every", "1"]
    done = train(more, whole, *init)
    assert done.exit_code == 0, done.output
    assert train(text_file, other, *SHAPE, "--seed", "1").exit_code == 0

    def interrupt(self: Any, trainer: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SaveEveryEpoch, "on_batch_begin", interrupt)
        assert train(more, output, *init).exit_code == INTERRUPTED
    again = ["--init", str(other), *init[2:], "--seed", "0", "--resume"]
    said = refused(train(more, output, *again))
    assert "the model must be the one that was loaded (--init), as in the run to be resumed" in said
    said = train(more, output, *SHAPE, *init[2:], "--resume").output
    assert "it is a new one" in said
    done = train(more, output, *init, "--resume")
    assert done.exit_code == 0, done.output
    for name in ("model.safetensors", "config.json"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()


def test_labels_spread_over_rows_as_the_model_sees_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wine = load_wine()
    np.savez(tmp_path / "wine.npz", x=wine.data, y=wine.target)
    some = np.where(np.arange(178) % 2, wine.target.astype(str), "")
    np.savez(tmp_path / "more.npz", x=wine.data[::-1] + 0.01, y=some[::-1])
    told: list[Any] = []

    def spread(*args: Any, **options: Any) -> Any:
        told.append(options["standardize"])
        return with_pseudo_labels_by(*args, **options)

    monkeypatch.setattr("dtgcnn.cli.preparing.with_pseudo_labels_by", spread)
    done = train(tmp_path / "wine.npz", tmp_path / "first", *SHAPE[:-2])
    assert done.exit_code == 0, done.output
    done = train(tmp_path / "more.npz", tmp_path / "second", "--init", str(tmp_path / "first"))
    assert done.exit_code == 0, done.output
    assert told == [True]
