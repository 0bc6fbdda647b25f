"""Options that commands share: threads, figures that are replaced, folders that are made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN
from dtgcnn.array import thread_count
from dtgcnn.cli import main
from dtgcnn.cli.options import threads_option


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_threads_are_few_while_the_command_runs_alone() -> None:
    @click.command()
    @threads_option
    def show() -> None:
        click.echo(f"{thread_count()} {os.environ['OMP_NUM_THREADS']}")

    before = thread_count(), dict(os.environ)
    assert CliRunner().invoke(show, ["--threads", "1"]).output == "1 1\n"
    assert (thread_count(), dict(os.environ)) == before


def test_no_more_threads_are_asked_for_than_there_are_processors() -> None:
    @click.command()
    @threads_option
    def show() -> None:
        click.echo(os.environ["OPENBLAS_NUM_THREADS"])

    shown = CliRunner().invoke(show, ["--threads", "100000"]).output
    assert 1 <= int(shown) <= (os.cpu_count() or 1)


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_that_computes_takes_threads(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    names = {option.name for option in command.params}
    assert ("threads" in names) == (name not in ("backends", "sample", "settings"))
    computes = name not in ("augment", "backends", "sample", "settings")
    assert ("device" in names) == ("backend" in names) == computes


def test_every_command_computes_on_the_device(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy has no GPU, so that each command tells that it asked for one, before it writes."""
    small = ("--set", "hidden_dims=[16]", "--no-map", "--backend", "numpy", "--epochs", 1)
    model, new = tmp_path / "model", tmp_path / "new"
    assert run("train", text_file, "--output", model, *small, "--device", "auto").exit_code == 0
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, *given in (
        ("add", model, text_file, "--output", new),
        ("check", text_file),
        ("discover", model, text_file),
        ("encode", model, text_file, "--output", tmp_path / "x.npy"),
        ("evaluate", model, text_file),
        ("export", model, "--to", "sentence-transformers", new),
        ("generate", text_file, "--output", tmp_path / "x.jsonl"),
        ("index", model, text_file, "--output", new),
        ("next", model, text_file),
        ("plot", model, text_file),
        ("predict", model, "red apple"),
        ("remove", model, text_file, "--output", new),
        ("report", model, text_file),
        ("search", model, text_file, "red apple"),
        ("train", text_file, "--output", new),
        ("tune", text_file, "--output", new),
    ):
        if name == "next":
            blank = tmp_path / "blank.txt"
            blank.write_text("a pear\nan apple\n")
            given, before = [model, blank], sorted({*before, "blank.txt"})
        said = run(name, *given, "--backend", "numpy", "--device", "gpu")
        assert said.exit_code == 2, name
        assert "device must be 'cpu' for the numpy backend, received 'gpu'" in said.output, name
        assert sorted(path.name for path in tmp_path.iterdir()) == before, name


def test_train_shows_what_is_often_set(text_file: Path, tmp_path: Path) -> None:
    said = run("train", "--help").output
    for option in ("--loss", "--patience", "--device", "--threads", "--log", "--init"):
        assert f" {option} " in said
    small = ("--set", "hidden_dims=[16]", "--no-map", "--backend", "numpy", "--epochs", 2)
    chosen = ("--loss", "supcon", "--patience", 1, "--device", "cpu", "--threads", 1)
    done = run("train", text_file, "--output", tmp_path / "m", *small, *chosen)
    assert done.exit_code == 0, done.output
    config = DTGCNN.load(tmp_path / "m", backend="numpy").config
    assert (config.loss, config.early_stopping_patience) == ("supcon", 1)
    told = json.loads((tmp_path / "m" / "config.json").read_text())
    assert told["trained_with"]["threads"] == 1

    figures = tmp_path / "figures.json"
    asked = ("evaluate", tmp_path / "m", text_file, "--json", figures, "--backend", "numpy")
    assert "replaced" not in run(*asked).output
    assert f"{figures}: replaced" in run(*asked).output


def test_generate_makes_its_folder(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder" / "triplets.jsonl"
    done = run("generate", text_file, "--output", output, "--backend", "numpy")
    assert done.exit_code == 0, done.output
    assert output.is_file()
