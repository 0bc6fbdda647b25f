"""``dtgcnn augment``: what it adds trains, and wrong options end in one message."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import TripletDataset
from dtgcnn.cli import main
from dtgcnn.data.reading.equality import equal_groups

from ..conftest import blobs

QUICK = ["--backend", "numpy", "--epochs", "3", "--batch-size", "24", "--set", "input_dim=16"]
QUICK += ["--set", "hidden_dims=[16, 16]", "--set", "output_dim=8", "--k", "4", "--no-map"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_what_is_written_of_triplets_is_told_as_such(tmp_path: Path) -> None:
    file, more = tmp_path / "t.jsonl", tmp_path / "more.jsonl"
    words = [f"{word} number {i} of some" for i in range(1000) for word in ("a", "b", "c")]
    rows = zip(words[::3], words[1::3], words[2::3], strict=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("augment", file, "--output", more, "--versions", 1, "--probability", 0.01)
    assert done.exit_code == 0, done.output
    assert f"{more}: 1,000 triplets and " in done.output


def test_augmented_texts_train_and_are_measured_on_the_same_rows(
    text_file: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more.csv"
    done = run("augment", text_file, "--output", more, "--versions", 2, "--probability", 0.5)
    assert done.exit_code == 0, done.output
    before, after = TripletDataset(text_file), TripletDataset(more)
    count = before.num_items
    assert f"{more}: {count} rows and {after.num_items - count} new ones" in done.output
    assert after.num_items > count + 40
    assert (after.texts[:count], after.splits[:count]) == (before.texts, before.splits)
    assert set(after.splits[count:]) == {"train"}
    assert len(set(equal_groups(after.texts, None))) == after.num_items
    trained = run("train", more, "--output", tmp_path / "m", *QUICK)
    assert trained.exit_code == 0, trained.output
    assert f"21 test rows, looked up among {after.num_items - 21} train rows" in trained.output


def test_augmented_triplets_train(triplet_file: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.json"
    assert run("augment", triplet_file, "--output", more, "--probability", 1).exit_code == 0
    assert len(TripletDataset(more)) > 3 * len(TripletDataset(triplet_file))
    done = run("train", more, "--output", tmp_path / "m", "--train-split", 0.7, *QUICK)
    assert done.exit_code == 0, done.output


def test_vectors_are_mixed(tmp_path: Path) -> None:
    x, labels = blobs()
    np.savez(tmp_path / "x.npz", x=x, y=labels, split=np.array(["train"] * 60 + ["test"] * 20))
    done = run("augment", tmp_path / "x.npz", "--output", tmp_path / "y.npz", "--probability", 1)
    assert done.exit_code == 0, done.output
    result = TripletDataset(tmp_path / "y.npz")
    np.testing.assert_array_equal(result.features[:80], x)
    np.testing.assert_array_equal(result.labels[80:], labels[:60])
    assert run("train", tmp_path / "y.npz", "--output", tmp_path / "m", *QUICK[:6]).exit_code == 0


def test_the_same_seed_writes_the_same_bytes(text_file: Path, tmp_path: Path) -> None:
    def written(seed: int, name: str) -> bytes:
        done = run("augment", text_file, "--output", tmp_path / name, "--seed", seed, "--overwrite")
        assert done.exit_code == 0, done.output
        return (tmp_path / name).read_bytes()

    assert written(1, "a.jsonl.gz") == written(1, "b.jsonl.gz") != written(2, "c.jsonl.gz")


def test_a_thesaurus_and_a_held_out_file(text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("word,synonym\ncat,kitten\ndog,hound\n")
    (tmp_path / "held.txt").write_text("The kitten and the DOG today\nthe dog and the kitten today")
    more = tmp_path / "more.tsv"
    options = ["--strategy", "synonym_replacement", "--thesaurus", tmp_path / "t.csv"]
    options += ["--probability", 1, "--versions", 9, "--held-out", tmp_path / "held.txt"]
    done = run("augment", text_file, "--output", more, *options)
    assert done.exit_code == 0, done.output
    new = TripletDataset(more).texts[84:]
    assert new
    assert all("kitten" in text or "hound" in text for text in new)
    assert "the dog and the kitten today" not in new


def test_functions_of_a_module_in_this_folder_rewrite(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cardgame.py").write_text(
        "def polite(texts): return ['please: ' + text for text in texts]\n"
        "def forth(texts): return [text.replace('the', 'le') for text in texts]\n"
        "def back(texts): return [text.replace('le', 'a certain') for text in texts]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    options = ["--strategy", "back_translation", "--strategy", "paraphrase", "--probability", 1]
    options += ["--back-translation", "cardgame:forth", "cardgame:back", "--versions", 2]
    options += ["--paraphrase", "cardgame:polite", "--cache", "answers.sqlite"]
    done = run("augment", text_file, "--output", "more.csv", *options)
    assert done.exit_code == 0, done.output
    new = TripletDataset("more.csv").texts[84:]
    polite = [text for text in new if text.startswith("please: ")]
    assert len(polite) >= 60
    assert all("a certain" in text for text in set(new) - set(polite))
    assert len(set(new)) == len(new) > len(polite)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--paraphrase", "json:missing"], "json:missing cannot be imported: AttributeError"),
        (["--paraphrase", "no_such:f"], "no_such:f cannot be imported: ModuleNotFoundError"),
        (["--paraphrase", "json:__name__"], "json:__name__ must be a function, is 'json'"),
        (["--output", "more.txt"], "the suffix for texts must be one of .csv, .tsv, .json, .jsonl"),
        (["--output", "more.npz"], "the suffix for texts must be one of"),
        (["--output", "texts.csv"], "--overwrite replaces it"),
        (["--strategy", "eda"], "'eda' is not one of 'paraphrase'"),
        (["--strategy", "mixup"], "holds texts, and the strategy 'mixup' needs vectors"),
        (["--strategy", "paraphrase"], "'paraphrase' needs the argument paraphrase"),
        (["--probability", "2"], "'--probability': 2.0 is not in the range 0.0<x<=1.0"),
        (["--versions", "0"], "'--versions': 0 is not in the range x>=1"),
        (["--strategy", "synonym_replacement", "--thesaurus", "none.csv"], "no such file"),
        (["--held-out", "none.csv"], "none.csv: no such file"),
    ],
)
def test_wrong_options_end_in_one_message(
    text_file: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(text_file.parent)
    options += ["--strategy", "paraphrase"] if "--paraphrase" in options else []
    output = [] if "--output" in options else ["--output", "more.csv"]
    done = run("augment", text_file.name, *output, *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not Path("more.csv").exists()
