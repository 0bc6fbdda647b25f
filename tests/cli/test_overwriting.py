"""No command writes over a file without being told to, or without saying so."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import click
import pytest
from click.testing import CliRunner, Result

from dtgcnn.cli import main

SMALL = ("--set", "hidden_dims=[16]", "--no-map", "--backend", "numpy", "--epochs", 1)
MINE = b"mine\n"

Arguments: TypeAlias = list[object]


class Given:
    """What commands are run on."""

    def __init__(self, texts: Path) -> None:
        self.texts, self.folder = texts, texts.parent
        self.model, self.blank = self.folder / "model", self.folder / "blank.txt"
        self.blank.write_text("a pear\nan apple\n")


# Of each command what it is given, the option that names what it writes, and a name for that.
# ``model``, ``texts`` and ``blank`` stand for what the fixture has.
FILES: dict[str, tuple[list[str], str, str]] = {
    "augment": (["texts"], "--output", "x.csv"),
    "discover": (["model", "texts"], "--output", "x.csv"),
    "encode": (["model", "texts"], "--output", "x.npy"),
    "generate": (["texts"], "--output", "x.jsonl"),
    "next": (["model", "blank", "--count", "1"], "--output", "x.csv"),
    "plot": (["model", "texts"], "--output", "x.svg"),
    "predict": (["model", "texts"], "--output", "x.csv"),
    "report": (["model", "texts"], "--output", "x.html"),
    "sample": ([], "", "x.csv"),
}
"""Commands that write a file, which is refused where it is there."""

FOLDERS: dict[str, tuple[list[str], str]] = {
    "add": (["model", "texts"], "--output"),
    "export": (["model", "--to", "sentence-transformers"], ""),
    "index": (["model", "texts"], "--output"),
    "remove": (["model", "blank"], "--output"),
    "train": (["texts", *map(str, SMALL)], "--output"),
}
"""Commands that write a folder, which is refused where it holds anything."""

FIGURES: dict[str, list[str]] = {
    "check": ["texts"],
    "compare": ["model", "model", "texts"],
    "discover": ["model", "texts"],
    "evaluate": ["model", "texts"],
}
"""Commands that write figures with ``--json``, and say where they replaced a file."""

ELSEWHERE = {"backends", "search", "settings", "tune"}
"""Commands that write nothing; and tune, which goes on with the search of its folder, refuses
any other, and says so: ``tests/training/test_tuning.py``."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def given(text_file: Path) -> Given:
    found = Given(text_file)
    done = run("train", found.texts, "--output", found.model, *SMALL)
    assert done.exit_code == 0, done.output
    return found


def of(given: Given, names: list[str]) -> Arguments:
    return [getattr(given, name) if hasattr(given, name) else name for name in names]


def test_every_command_is_looked_at() -> None:
    names = set(main.list_commands(click.Context(main)))
    assert names == {*FILES, *FOLDERS, *FIGURES, *ELSEWHERE}
    for name in names:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        options = {option.name for option in command.params}
        assert ("json_file" in options) == (name in FIGURES)
        assert ("overwrite" in options) == (name in {*FILES, *FOLDERS})


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_there_is_refused(name: str, given: Given) -> None:
    names, option, output = FILES[name]
    path = given.folder / output
    arguments = [name, *of(given, names), *([option] if option else []), path]
    path.write_bytes(MINE)
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert f"{path} exists; --overwrite replaces it" in refused.output
    assert path.read_bytes() == MINE
    replaced = run(*arguments, "--overwrite")
    assert replaced.exit_code == 0, replaced.output
    assert path.read_bytes() != MINE
    assert str(path) in replaced.output


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_holds_anything_is_refused(name: str, given: Given) -> None:
    names, option = FOLDERS[name]
    foreign, own = given.folder / "foreign", given.folder / "own"
    foreign.mkdir()
    (foreign / "thesis.txt").write_bytes(MINE)
    arguments = [name, *of(given, names), *([option] if option else [])]
    for more in ((), ("--overwrite",)):  # which replaces models, not what is another's
        refused = run(*arguments, foreign, *more)
        assert refused.exit_code == 2, refused.output
        assert str(foreign) in refused.output
        assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert run(*arguments, own).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
    again = run(*arguments, own)
    assert again.exit_code == 2
    assert f"{own} " in again.output
    assert "--overwrite" in again.output
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before
    assert run(*arguments, own, "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", FIGURES)
def test_figures_that_are_replaced_are_told_of(name: str, given: Given) -> None:
    path = given.folder / "figures.json"
    arguments = [name, *of(given, FIGURES[name]), "--json", path]
    first = run(*arguments)
    assert (first.exit_code, ": replaced" in first.output) == (0, False), first.output
    path.write_bytes(MINE)
    again = run(*arguments)
    assert again.exit_code == 0
    assert f"{path}: replaced" in again.output
    assert path.read_bytes() != MINE


def test_a_graph_that_is_there_is_refused(given: Given) -> None:
    pytest.importorskip("usearch")
    path = given.folder / "rows.usearch"
    path.write_bytes(MINE)
    refused = run(
        "index", given.model, given.texts, "--output", given.folder / "i", "--export", path
    )
    assert refused.exit_code == 2
    assert f"--export {path} exists; --overwrite replaces it" in refused.output
    assert path.read_bytes() == MINE
    assert not (given.folder / "i").exists()
