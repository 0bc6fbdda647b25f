"""The tutorials run as they stand, and the site names every page and every public name."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dtgcnn
from dtgcnn import DTGCNN

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


def test_vectors_of_your_own(tutorials: Guide) -> None:
    names = tutorials.run("Vectors of your own")
    assert names["accuracy"] > 0.85
    embeddings = np.load(tutorials.folder / "embeddings.npy")
    assert len(embeddings) == 600
    nearest = (embeddings[200:] @ embeddings[:200].T).argmax(axis=1)
    assert (names["y"][nearest] == names["test_y"]).mean() > 0.85


def test_the_reference_holds_every_public_name() -> None:
    named = re.findall(r"^::: dtgcnn\.(\w+)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(set(dtgcnn.__all__) - {"__version__"})


def test_the_site_has_every_page() -> None:
    pages = re.findall(r": (\w+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in DOCS.glob("*.md"))
