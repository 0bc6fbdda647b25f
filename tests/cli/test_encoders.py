"""``dtgcnn train --encoder``: from the name of an encoder to a model that reads texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.cli import main
from dtgcnn.cli.train import _other_encoders

from ..conftest import sentences

PACKAGE = '''
import json
from pathlib import Path
import numpy as np

class Letters:
    """How often letters occur, up to a last one."""
    name = "letters"

    def __init__(self, last):
        self.last, self.dim = last, ord(last) - ord("a") + 1

    def fit(self, texts):
        return self

    def encode(self, texts):
        letters = [chr(ord("a") + i) for i in range(self.dim)]
        return np.array([[text.count(c) for c in letters] for text in texts], np.float32)

    def save(self, directory):
        content = json.dumps({"name": self.name, "last": self.last})
        (Path(directory) / "encoder.json").write_text(content)

    @classmethod
    def load(cls, directory):
        return cls(json.loads((Path(directory) / "encoder.json").read_text())["last"])
'''


def test_the_command_line_finds_an_installed_encoder(text_file: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "letters-1.dist-info").mkdir(parents=True)
    (site / "letters.py").write_text(PACKAGE)
    (site / "letters-1.dist-info" / "METADATA").write_text("Name: letters\nVersion: 1\n")
    points = site / "letters-1.dist-info" / "entry_points.txt"
    points.write_text("[dtgcnn.encoders]\nletters = letters:Letters\nother = letters:Letters\n")
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))

    def run(*arguments: object, installed: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dtgcnn", *map(str, arguments)],
            env={**os.environ, **({"PYTHONPATH": paths} if installed else {})},
            capture_output=True,
            text=True,
            check=False,
        )

    model = tmp_path / "model"
    settings = ["--epochs", "1", "--batch-size", "24", "--no-map", "--backend", "numpy"]
    train = ["train", text_file, "--output", model, *settings, "--set", "hidden_dims=[8, 8]"]
    done = run(*train, "--encoder", "letters:z")
    assert done.returncode == 0, done.stderr
    assert "encoder letters:z" in done.stderr
    config = json.loads((model / "config.json").read_text())
    assert (config["config"]["input_dim"], config["text_encoder"]) == (26, "letters")
    assert "numbers by `letters`" in (model / "README.md").read_text()
    done = run("evaluate", model, text_file)
    assert done.returncode == 0, done.stderr
    assert "map@r" in done.stdout
    done = run("evaluate", model, text_file, installed=False)
    assert done.returncode == 2
    assert "entry point 'letters' in the group 'dtgcnn.encoders'" in done.stderr
    for spec, message in (("letters", "must be letters:LAST"), ("other:z", "must have the name")):
        done = run(*train[:2], "--output", tmp_path / "no", "--encoder", spec)
        assert done.returncode == 2
        assert message in done.stderr


@pytest.mark.parametrize("spec", [None, "tfidf", "hashing"])
def test_training_with_an_encoder(text_file: Path, tmp_path: Path, spec: str | None) -> None:
    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    chosen = [] if spec is None else ["--encoder", spec]
    settings = ["--epochs", "1", "--batch-size", "24", "--no-map", "--backend", "numpy"]
    model = str(tmp_path / "model")
    done = CliRunner().invoke(
        main, ["train", str(text_file), "--output", model, *settings, *chosen]
    )
    assert done.exit_code == 0, done.output
    loaded = DTGCNN.load(model)
    assert loaded.config.input_dim == 384
    assert loaded.encoder is not None
    assert loaded.encoder.name == (spec or "tfidf")
    done = CliRunner().invoke(main, ["search", model, str(text_file), "the cat", "--top", "2"])
    assert len(done.output.splitlines()) == 1 + 2


@pytest.mark.parametrize("command", ["train", "tune"])
def test_vectors_take_no_encoder(command: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", x=np.eye(8, dtype=np.float32), y=np.arange(8) % 2)
    arguments = [command, str(tmp_path / "v.npz"), "--output", str(tmp_path / "m")]
    done = CliRunner().invoke(main, [*arguments, "--encoder", "tfidf"])
    assert done.exit_code == 2
    assert "--encoder goes with texts" in done.output


def test_the_command_line_trains_an_embedding_layer(text_file: Path, tmp_path: Path) -> None:
    settings = ["--set", "vocab_size=80", "--set", "max_length=8", "--set", "input_dim=16"]
    options = ["--output", str(tmp_path / "model"), "--epochs", "40", "--no-map", *settings]
    run = CliRunner().invoke(main, ["train", str(text_file), *options, "--backend", "numpy"])
    assert run.exit_code == 0, run.output
    model = DTGCNN.load(tmp_path / "model", backend="numpy")
    assert model.params["embedding"]["weight"].shape == (80, 16)
    figures = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert figures["trained"]["map@r"] > figures["input"]["map@r"] + 0.1
    texts, _ = sentences()
    np.testing.assert_array_equal(model.encode(texts[:3])[1], model.encode([texts[1]])[0])
    refused = CliRunner().invoke(
        main, ["train", str(text_file), *options, "--encoder", "hashing", "--overwrite"]
    )
    assert refused.exit_code == 2
    assert "--encoder must be pieces where vocab_size is set" in refused.output


@pytest.mark.parametrize(
    ("rows", "spec", "named"),
    [
        (2, None, "--encoder sentence-transformer:all-MiniLM-L6-v2+tfidf"),
        (2, "sentence-transformer:m/x+tfidf", "--encoder fine-tuned:m/x+tfidf"),
        (10, "sentence-transformer:x", "--encoder fine-tuned:x"),
        (11, "sentence-transformer:x", ""),
        (2, "fine-tuned:x", ""),
        (2, "tfidf", ""),
    ],
)
def test_an_encoder_that_may_tell_more_is_named(rows: int, spec: str | None, named: str) -> None:
    texts = [f"{label} {i}" for label in ("pay", "trip") for i in range(rows)]
    more = ["of nobody"] * 30
    labels = [text.split()[0] for text in texts] + [""] * 30
    found = _other_encoders(TripletDataset.from_labelled([*texts, *more], labels), spec)
    assert found.endswith(named)
    assert bool(found) == bool(named)


def test_an_encoder_that_triplets_train_is_named_to_nobody() -> None:
    dataset = TripletDataset.from_triplets([("a", "b", "c"), ("d", "e", "f")])
    assert _other_encoders(dataset, None).endswith("sentence-transformer:all-MiniLM-L6-v2")
    assert _other_encoders(dataset, "sentence-transformer:x") == ""
