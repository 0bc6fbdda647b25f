"""``dtgcnn generate``: from labelled texts or pairs to triplets that train."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import TripletDataset
from dtgcnn.cli import main

from ..conftest import WORDS, sentences
from ..data.test_generator_pairs import SCORED

pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["generate", *map(str, arguments)])


def test_labelled_file_to_trained_model(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "t.jsonl"
    done = run(text_file, "--output", output, "--per-anchor", 3, "--negatives", "semi_hard")
    assert done.exit_code == 0, done.output
    assert "triplets of" in done.output
    assert str(output) in done.output
    dataset, labelled = TripletDataset(output), TripletDataset(text_file)
    train = {labelled.texts[i] for i in labelled.training_items()} if labelled.texts else set()
    assert set(dataset.texts or []) <= train  # none of the rows "test"
    quick = ["--backend", "numpy", "--epochs", "2", "--no-map", "--k", "4", "--set", "input_dim=16"]
    model = ["train", str(output), "--output", str(tmp_path / "m"), *quick]
    done = CliRunner().invoke(main, model)
    assert done.exit_code == 0, done.output


def test_options_have_their_effect(tmp_path: Path) -> None:
    texts, labels = sentences()
    few = [*zip(labels, texts, strict=True)][:40]  # 28 of animals, 12 of weather
    file = tmp_path / "few.csv"
    file.write_text("\n".join(["label,text", *(f"{a},{b}" for a, b in few)]))
    outputs = []
    for i, more in enumerate(
        (
            [],
            ["--seed", "1"],
            ["--per-anchor", "2"],
            ["--negatives", "random"],
            ["--threshold", "0.15"],
            ["--positive-threshold", "0.3"],
            ["--encoder", "hashing"],
            ["--balance"],
        )
    ):
        output = tmp_path / f"{i}.csv"
        done = run(file, "--output", output, *more)
        assert done.exit_code == 0, done.output
        outputs.append(output.read_text())
    assert len(set(outputs)) == len(outputs)
    anchors = [line.split(",")[0] for line in outputs[-1].split("\n")[1:-1]]
    animals = sum(any(word in anchor for word in WORDS["animals"]) for anchor in anchors)
    assert animals == len(anchors) / 2


def test_pair_files(tmp_path: Path) -> None:
    file, output = tmp_path / "p.jsonl", tmp_path / "t.csv"
    names = ("sentence1", "sentence2", "score")
    file.write_text("\n".join(json.dumps(dict(zip(names, pair, strict=True))) for pair in SCORED))
    done = run(file, "--output", output, "--positive-score", 4, "--negative-score", 1)
    assert done.exit_code == 0, done.output
    assert TripletDataset(output).kind == "triplets"
    file.write_text("\n".join(json.dumps({"anchor": a, "positive": b}) for a, b, _ in SCORED))
    assert run(file, "--output", tmp_path / "u.csv", "--threshold", 1).exit_code == 0


def test_wrong_use_is_one_message(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "t.jsonl"
    np.savez(tmp_path / "v.npz", x=np.eye(4), y=[0, 0, 1, 1])
    pairs = tmp_path / "p.csv"
    pairs.write_text("anchor,positive\na,b\nc,d\n")
    (tmp_path / "old.csv").write_text("old")
    for arguments, message in (
        ([text_file, "--output", tmp_path / "t.txt"], "the suffix must be one of"),
        ([text_file, "--output", tmp_path / "old.csv"], "exists; --overwrite replaces it"),
        ([tmp_path / "v.npz", "--output", output], "holds vectors; give a file of labelled texts"),
        ([text_file, "--output", output, "--positive-score", 4], "--positive-score needs pairs"),
        ([text_file, "--output", output, "--encoder", "bert"], "encoder must be one of"),
        ([pairs, "--output", output, "--balance"], "--balance needs labels"),
        ([tmp_path / "none.csv", "--output", output], "no such file"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert not output.exists()
