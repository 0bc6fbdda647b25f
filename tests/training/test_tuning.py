"""Searching for settings: ``nox -s tracking`` runs what is skipped where Optuna is missing."""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, Trainer, TrainingError, TripletDataset
from dtgcnn.cli import main
from dtgcnn.training import Made, Range, Trial, tune

from ..conftest import PLAIN, blobs

optuna = pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("default")

SPACE = {"learning_rate": Range(1e-4, 1e-1, log=True), "loss": ("triplet", "supcon")}
SMALL = ("--set", "hidden_dims=[16]", "--set", "output_dim=8", "--backend", "numpy")


class Making:
    """Makes models of ``labelled``; training breaks off where a learning rate is named."""

    def __init__(self, dataset: TripletDataset) -> None:
        self.dataset = dataset
        self.asked: list[dict[str, Any]] = []

    def __call__(self, settings: dict[str, Any]) -> Made:
        self.asked.append(settings)
        loaders = self.dataset.create_dataloaders(batch_size=24, train_split=0.8)
        return DTGCNN(backend="numpy", **{**PLAIN, **settings}), *loaders


def killed(settings: dict[str, Any]) -> Made:
    """Breaks off in the midst of a trial."""
    raise KeyboardInterrupt


def test_the_best_trial_is_what_training_gives(labelled: TripletDataset, tmp_path: Path) -> None:
    make, told = Making(labelled), list[Trial]()
    first = {"learning_rate": 1e-3, "loss": "supcon"}
    found = tune(make, tmp_path / "s", space=SPACE, first=first, trials=12, told=told.append)
    assert found.metric == "val_map@r"
    assert found.trials == told
    assert [trial.settings for trial in told] == make.asked
    assert make.asked[0] == first
    assert all(1e-4 <= asked["learning_rate"] <= 1e-1 for asked in make.asked)
    assert {asked["loss"] for asked in make.asked} == {"triplet", "supcon"}
    values = [trial.value for trial in found.trials]
    assert found.best.value == max(values)
    assert found.gain == pytest.approx(max(values) - values[0])
    assert set(found.importances) <= set(SPACE)
    for trial in (found.best, found.trials[0]):
        model, train, val = make(trial.settings)
        history = Trainer(model, progress=False).train(train, val)
        reached = [entry["val_map@r"] for entry in history]
        assert trial.value == pytest.approx(max(reached), abs=1e-6)
        assert trial.epoch == reached.index(max(reached)) + 1


def test_a_search_goes_on_where_it_was_stopped(labelled: TripletDataset, tmp_path: Path) -> None:
    make = Making(labelled)

    def stop(trial: Trial) -> None:
        if trial.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(make, tmp_path, space=SPACE, trials=4, about="a", told=stop)

    with pytest.raises(KeyboardInterrupt):
        tune(killed, tmp_path, space=SPACE, trials=4, about="a")
    found = tune(make, tmp_path, space=SPACE, trials=4, about="a")
    assert found == tune(Making(labelled), tmp_path / "whole", space=SPACE, trials=4)
    assert [trial.settings for trial in found.trials] == make.asked
    assert None not in [trial.value for trial in found.trials]
    again = tune(make, tmp_path, space=SPACE, trials=4, about="a")
    assert again == found
    assert len(make.asked) == 4


def test_a_search_whose_first_trial_was_stopped_begins_with_it(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    first = {"learning_rate": 1e-3, "loss": "supcon"}
    with pytest.raises(KeyboardInterrupt):
        tune(killed, tmp_path, space=SPACE, first=first, trials=2)
    found = tune(Making(labelled), tmp_path, space=SPACE, first=first, trials=2)
    assert found.trials[0].settings == first
    assert [trial.value is None for trial in found.trials] == [False, False]


def test_the_search_of_something_else_is_refused(labelled: TripletDataset, tmp_path: Path) -> None:
    make = Making(labelled)
    tune(make, tmp_path, space=SPACE, trials=1, about="a")
    with pytest.raises(ValueError, match="holds a search of another about, a; this one is of b"):
        tune(make, tmp_path, space=SPACE, trials=2, about="b")
    with pytest.raises(ValueError, match="of another space"):
        tune(make, tmp_path, space={"dropout_rate": Range(0.0, 0.5)}, trials=2, about="a")
    with pytest.raises(ValueError, match="trials must be at least 1, received 0"):
        tune(make, tmp_path, trials=0)


def test_a_failed_trial_is_kept_and_none_that_works_is_an_error(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    make = Making(labelled)

    def breaks(settings: dict[str, Any]) -> Made:
        if settings["loss"] == "supcon":
            raise TrainingError("the loss is not finite")
        return make(settings)

    space = {"loss": ("triplet", "supcon")}
    found = tune(breaks, tmp_path / "a", space=space, first={"loss": "supcon"}, trials=6)
    assert found.trials[0].value is None
    assert found.gain is None
    assert found.best.settings == {"loss": "triplet"}
    with pytest.raises(TrainingError, match="none of the 2 trials gave a value"):
        tune(breaks, tmp_path / "b", space={"loss": ("supcon",)}, trials=2)


def test_without_optuna_the_extra_is_named(
    labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'dtgcnn\[tune\]'"):
        tune(Making(labelled), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_from_the_command_line_to_a_model(text_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output = tmp_path / "search"
    asked = ("tune", text_file, "--output", output, "--epochs", 2, *SMALL)
    done = run(*asked, "--trials", 2)
    assert done.exit_code == 0, done.output
    assert done.output.count("0, as it was") == 2  # as it comes, and in the table
    assert re.search(r"^trial 1: \S+ \(2 of 2\)$", done.output, re.M)
    rest = run(*asked, "--trials", 3)
    assert re.search(r"^trial 2: \S+ \(3 of 3\)$", rest.output, re.M)
    assert f"{output}: goes on with the search there, and replaces its results" in rest.output
    assert "(2 of 3)" not in rest.output
    rows = list(csv.DictReader((output / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert float(rows[0]["learning_rate"]) == 0.001
    best = tomllib.loads((output / "best.toml").read_text())
    top = max(rows, key=lambda row: float(row["val_map@r"]))
    assert best["learning_rate"] == float(top["learning_rate"])
    assert (best["hidden_dims"], best["num_epochs"]) == ([16], 2)
    assert (output / "tuning.png").read_bytes().startswith(b"\x89PNG")
    trained = run(
        *("train", text_file, "--output", tmp_path / "m", "--no-map", "--backend", "numpy"),
        *("--config", output / "best.toml"),
    )
    assert trained.exit_code == 0, trained.output
    config = DTGCNN.load(tmp_path / "m", backend="numpy").config
    assert config.learning_rate == best["learning_rate"]

    changed = text_file.read_text()
    text_file.write_text(changed.replace("train,", "train,x", 1))
    assert "name another folder" in run(*asked, "--trials", 4).output
    text_file.write_text(changed)

    below = run("tune", text_file, "--output", text_file / "sub", *SMALL)
    assert f"--output {text_file}/sub: {text_file} must be a folder, it is a file" in below.output
    other = run("tune", text_file, "--output", tmp_path / "m", *SMALL)
    assert other.exit_code == 2
    assert "must be empty or hold a search, it holds other files" in other.output
    for more, said in (
        (("--set", "dropout_rate=0.2"), "name another folder"),
        (("--train-split", "1"), "--train-split must be below 1"),
    ):
        done = run(*asked, *more)
        assert done.exit_code == 2
        assert said in done.output


@pytest.mark.parametrize(("copies", "searched"), [(1, True), (3, False)])
def test_few_rows_that_differ_have_few_neighbours(
    copies: int, searched: bool, tmp_path: Path
) -> None:
    x, y = (np.repeat(rows[::copies], copies, axis=0) for rows in blobs(3, 10))
    np.savez(tmp_path / "few.npz", x=x.astype(np.float32), y=y)
    named = ("--epochs", 1, "--trials", 2, "--backend", "numpy")
    done = run("tune", tmp_path / "few.npz", "--output", tmp_path / "s", *named)
    assert done.exit_code == 0, done.output
    assert "out of range" not in done.output
    best = tomllib.loads((tmp_path / "s" / "best.toml").read_text())
    assert ("graph_k_neighbors" in best) == searched


def test_test_rows_take_no_part(text_file: Path, tmp_path: Path) -> None:
    asked = ("--epochs", 1, "--trials", 2, *SMALL)
    first = run("tune", text_file, "--output", tmp_path / "a", *asked)
    lines = text_file.read_text().splitlines()
    other = tmp_path / "b" / text_file.name
    other.parent.mkdir()
    wrong = [
        line.replace("test,", "test,x", 1) if line.startswith("test") else line for line in lines
    ]
    other.write_text("\n".join(wrong) + "\n")
    second = run("tune", other, "--output", tmp_path / "b" / "s", *asked)
    assert first.exit_code == second.exit_code == 0, second.output
    kept = [
        (folder / "trials.csv").read_text() for folder in (tmp_path / "a", tmp_path / "b" / "s")
    ]
    assert kept[0] == kept[1]


def test_bad_input_leaves_no_search_behind(
    labelled: TripletDataset, text_file: Path, tmp_path: Path
) -> None:
    def refuse(settings: dict[str, Any]) -> Made:
        raise ValueError("no such encoder")

    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "new", tmp_path / "mine"):
        with pytest.raises(ValueError, match="no such encoder"):
            tune(refuse, folder, space=SPACE, trials=2)
        assert folder.exists() == (folder.name == "mine")
    assert not any((tmp_path / "mine").iterdir())
    with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, received -1"):
        tune(Making(labelled), tmp_path / "new", space=SPACE, trials=2, seed=-1)
    for option, value in (("--train-split", "nan"), ("--encoder", "no"), ("--seed", "-1")):
        asked = ["tune", str(text_file), "--output", str(tmp_path / "new"), option, value]
        result = CliRunner().invoke(main, [*asked, "--trials", "1"])
        assert result.exit_code == 2
        assert option.strip("-") in result.output
        assert not (tmp_path / "new").exists()


def test_another_process_may_not_search_in_the_same_folder(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    make, refused = Making(labelled), list[str]()

    def again(trial: Trial) -> None:
        with pytest.raises(BlockingIOError, match="another process is training here") as caught:
            tune(make, tmp_path / "s", space=SPACE, trials=2)
        refused.append(str(caught.value))

    found = tune(make, tmp_path / "s", space=SPACE, trials=2, told=again)
    assert len(refused) == len(found.trials) == 2
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["study.log"]


def test_an_error_later_on_keeps_the_trials(labelled: TripletDataset, tmp_path: Path) -> None:
    making = Making(labelled)

    def make(settings: dict[str, Any]) -> Made:
        if len(making.asked) == 1:
            raise ValueError("gone")
        return making(settings)

    with pytest.raises(ValueError, match="gone"):
        tune(make, tmp_path / "s", space=SPACE, trials=2)
    found = tune(Making(labelled), tmp_path / "s", space=SPACE, trials=3)
    assert [trial.value is None for trial in found.trials] == [False, True, False]
