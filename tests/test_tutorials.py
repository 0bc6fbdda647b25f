"""The tutorials run as they stand, and the site names every page and every public name."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dtgcnn
from dtgcnn import DTGCNN
from dtgcnn.data import TripletGenerator, load_sample

from .conftest import ROOT
from .test_training_guide import Guide, snippets

DOCS = ROOT / "docs"
TUTORIALS = DOCS / "tutorials.md"


@pytest.fixture(scope="module")
def tutorials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    pytest.importorskip("sklearn")
    folder, before = tmp_path_factory.mktemp("tutorials"), Path.cwd()
    os.chdir(folder)
    yield Guide(folder, TUTORIALS)
    os.chdir(before)


def test_every_tutorial_has_a_test() -> None:
    own = Path(__file__).read_text(encoding="utf-8")
    tested = set(re.findall(r'tutorials\.run\("(.*?)"\)', own))
    assert set(snippets(TUTORIALS)) - {"Tutorials"} == tested


def test_labelled_texts(tutorials: Guide) -> None:
    names = tutorials.run("Labelled texts")
    assert names["classes"][0] == "late_delivery"
    assert names["embeddings"].shape == (2, names["model"].config.output_dim)


def test_triplets(tutorials: Guide) -> None:
    triplets = tutorials.run("Triplets")["triplets"]
    model = DTGCNN.load(tutorials.folder / "triplet_model")
    a, p, n = (
        model.encode([row[side] for row in triplets]) for side in ("anchor", "positive", "negative")
    )
    assert ((a * p).sum(axis=1) > (a * n).sum(axis=1)).mean() > 0.9
    assert len(DTGCNN.load(tutorials.folder / "indexed").bank_embeddings()) == 672


def test_a_few_labels_and_a_corpus(tutorials: Guide) -> None:
    names = tutorials.run("A few labels and a corpus")
    with open(tutorials.folder / "answers.csv", encoding="utf-8", newline="") as file:
        told = [row["label"] for row in csv.DictReader(file)]
    right = [
        answer == row["label"]
        for answer, row, few in zip(told, names["rows"], names["few"], strict=True)
        if not few["label"]
    ]
    assert len(right) == 672 - 14 * 8
    assert np.mean(right) > 0.6  # of 14 classes
    bank = DTGCNN.load(tutorials.folder / "more_model").trained_bank()
    assert bank.labels is not None
    assert sum(label >= 0 for label in bank.labels) == 14 * 8 + 14


def test_vectors_of_your_own(tutorials: Guide) -> None:
    names = tutorials.run("Vectors of your own")
    assert names["accuracy"] > 0.85
    embeddings = np.load(tutorials.folder / "embeddings.npy")
    assert len(embeddings) == 600
    nearest = (embeddings[200:] @ embeddings[:200].T).argmax(axis=1)
    assert (names["y"][nearest] == names["test_y"]).mean() > 0.85


def test_the_snippet_of_the_readme_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    data = load_sample()
    labels = data.names_of(range(len(data)))
    TripletGenerator(seed=0).write_triplets(
        tmp_path / "data" / "triplets.json", data.texts[::3], labels[::3], 1
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["embeddings"].shape == (1, 128)
    assert len(names["trainer"].history) == 20
    again = DTGCNN.load("my-model", backend=names["model"].ops.name)
    np.testing.assert_array_equal(again.encode(["where is my parcel?"]), names["embeddings"])


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_as_the_documentation_says(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    text = (DOCS / "integrations.md").read_text("utf-8")
    (line,) = re.findall(rf"^\| {shell} \|.*\| `(eval .*)` \|$", text, re.M)
    started = "autoload -Uz compinit; compinit -u" if shell == "zsh" else ""
    shown = 'echo "${_comps[dtgcnn]}"' if shell == "zsh" else "complete -p dtgcnn"
    file = tmp_path / "start"
    file.write_text(f"{started}\n{line}\n{shown}\n")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "HOME": str(tmp_path)}
    said = subprocess.run([shell, file], capture_output=True, text=True, env=environment)
    assert "_dtgcnn_completion" in said.stdout, said.stderr
    asked = {"COMP_WORDS": "dtgcnn enc", "COMP_CWORD": "1", "_DTGCNN_COMPLETE": f"{shell}_complete"}
    found = subprocess.run(["dtgcnn"], capture_output=True, text=True, env=environment | asked)
    assert "encode" in found.stdout


def test_the_reference_holds_every_public_name() -> None:
    named = re.findall(r"^::: dtgcnn\.(\w+)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(set(dtgcnn.__all__) - {"__version__"})


def test_the_site_has_every_page() -> None:
    pages = re.findall(r": (\w+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in DOCS.glob("*.md"))
