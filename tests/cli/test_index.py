"""``dtgcnn index`` and the rankings of ``dtgcnn search``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN
from dtgcnn.cli import main

QUICK = ("--backend", "numpy", "--epochs", "2", "--batch-size", "24", "--k", "4", "--no-map")
SHAPE = ("--set", "input_dim=16", "--set", "hidden_dims=[16, 16]", "--set", "output_dim=8")
TEXTS = [f"{w} {v} {i}" for w in ("cat", "dog", "fish") for v in ("sat", "ran") for i in range(5)]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three colours, and a file of texts without labels."""
    folder = tmp_path_factory.mktemp("index")
    animals = ("the cat sat", "a dog ran", "one fish swam")
    rows = [f"{text} {i},{text.split()[1]}" for text in animals for i in range(12)]
    (folder / "train.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    (folder / "corpus.txt").write_text("\n".join(TEXTS), "utf-8")
    done = run("train", folder / "train.csv", "--output", folder / "m", *QUICK, *SHAPE)
    assert done.exit_code == 0, done.output
    return folder


def test_a_model_is_saved_over_the_rows_of_a_file(folder: Path) -> None:
    done = run("index", folder / "m", folder / "corpus.txt", "--output", folder / "i", "--hops", 2)
    assert done.exit_code == 0, done.output
    assert f"model saved in {folder / 'i'}, its graph over 30 of 30 rows" in done.output
    loaded = DTGCNN.load(folder / "i", backend="numpy")
    assert loaded.config.propagation_hops == 2
    expected = DTGCNN.load(folder / "m", backend="numpy").index(TEXTS, hops=2)
    assert (loaded.encode(TEXTS) == expected.encode(TEXTS)).all()
    again = run("index", folder / "m", folder / "corpus.txt", "--output", folder / "i")
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    replaced = run(
        "index", folder / "m", folder / "corpus.txt", "--output", folder / "i", "--overwrite"
    )
    assert replaced.exit_code == 0
    assert DTGCNN.load(folder / "i", backend="numpy").config.propagation_hops == 3


def test_search_takes_both_rankings_by_turns(folder: Path) -> None:
    found = {}
    for by in ("embedding", "input", "both"):
        done = run(
            "search", folder / "m", folder / "corpus.txt", "cat ran 3", "--top", 6, "--by", by
        )
        assert done.exit_code == 0, done.output
        heading, *lines = done.output.splitlines()
        assert heading.split() == ["embedding", "input"]
        found[by] = [line.split(maxsplit=2)[2] for line in lines]
        column = {"embedding": 0, "input": 1}.get(by)
        if column is not None:
            values = [float(line.split()[column]) for line in lines]
            assert values == sorted(values, reverse=True)
    turns = [t for pair in zip(found["embedding"], found["input"], strict=True) for t in pair]
    assert found["both"] == list(dict.fromkeys(turns))[:6]


def test_the_similarities_are_those_of_embeddings_and_of_input_vectors(folder: Path) -> None:
    model = DTGCNN.load(folder / "m", backend="numpy")
    done = run("search", folder / "m", folder / "corpus.txt", "fish sat", "--top", 30)
    lines = done.output.splitlines()[1:]
    assert len(lines) == 30
    vectors = model.vectors([*TEXTS, "fish sat"])
    for column, view in enumerate((model.encode(vectors), vectors)):
        unit = view / np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-30)
        for line in lines:
            parts = line.split(maxsplit=2)
            expected = unit[TEXTS.index(parts[2])] @ unit[-1]
            assert float(parts[column]) == pytest.approx(expected, abs=6e-4)
