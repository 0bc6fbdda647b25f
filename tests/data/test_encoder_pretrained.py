"""Frozen models of others: kept by name and hash, cached, and missed with good advice."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from dtgcnn.data import (
    Encoder,
    MlxTextEncoder,
    Model2VecEncoder,
    SentenceTransformerEncoder,
    load_encoder,
)
from dtgcnn.data.encoders import registry as encoders
from dtgcnn.data.encoders.encoding import equal_shapes
from dtgcnn.data.encoders.model_files import find_model, revision_of, weights_of
from dtgcnn.data.encoders.pretrained import PretrainedEncoder
from dtgcnn.errors import DataError, MissingExtraError

from .test_encoders import corpus


class Toy(PretrainedEncoder):
    """Counts letters, times the weights in a file."""

    name = "toy"
    extra: ClassVar[str] = "toy"
    batch_size: ClassVar[int] = 4
    seen: ClassVar[list[str]] = []
    loads: ClassVar[int] = 0
    stop_after: ClassVar[int] = 10**9

    def _load_model(self, folder: Path) -> Any:
        type(self).loads += 1
        return float((folder / "model.safetensors").read_text())

    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], Any]]:
        for batch, _ in equal_shapes([len(text) for text in texts], self.batch_size):
            if len(self.seen) > self.stop_after:
                raise KeyboardInterrupt
            self.seen.extend(texts[i] for i in batch)
            counts = [[texts[i].count(c) for c in "aeiou"] for i in batch]
            yield batch, model * np.array(counts, np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, and a registry, of this test's own."""
    monkeypatch.setenv("DTGCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoders, "_registry", {**encoders._registry, "toy": Toy})
    monkeypatch.setattr(Toy, "seen", [])
    monkeypatch.setattr(Toy, "loads", 0)
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_text("0.5")
    (folder / "config.json").write_text("{}")
    return folder


def made(model: Path, **options: Any) -> Toy:
    toy = Toy(str(model), **options)
    Toy.seen.clear()
    return toy


def test_each_distinct_text_is_encoded_once(model: Path) -> None:
    toy, texts = made(model), corpus(50)
    rows = toy.encode([*texts, *texts])
    assert sorted(Toy.seen) == sorted(set(texts))
    np.testing.assert_array_equal(rows[:50], rows[50:])
    np.testing.assert_array_equal(rows[7], [texts[7].count(c) / 2 for c in "aeiou"])
    assert isinstance(toy, Encoder)
    assert toy.encode([]).shape == (0, 5)
    assert toy.fit(texts) is toy


def test_a_second_run_encodes_new_texts_only(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [f"{text} {i}" for i, text in enumerate(corpus(120))]
    toy = made(model)
    rows = toy.encode(texts)
    toy.save(tmp_path / "saved")
    Toy.seen.clear()
    loads = Toy.loads
    caplog.set_level(logging.INFO, "dtgcnn")
    loaded = load_encoder(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.encode(texts), rows)
    assert Toy.seen == []
    assert Toy.loads == loads, "the model is not loaded where all texts are known"
    assert "encoded 0 texts, 120 were known; cache " in caplog.text
    loaded.encode([*texts, "a new one"])
    assert Toy.seen == ["a new one"]


def test_without_a_cache(model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, variable in (({"cache": False}, str(cache)), ({}, "off")):
        monkeypatch.setenv("DTGCNN_CACHE", variable)
        toy = made(model, **options)
        for count in (1, 2):
            toy.encode(["a text"])
            assert len(Toy.seen) == count
    assert not cache.exists()


def test_an_interrupt_loses_no_more_than_the_last_rows(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, texts = made(model), [f"text {i}" for i in range(100)]
    monkeypatch.setattr("dtgcnn.data.encoders.pretrained._KEPT_AT_ONCE", 10)
    monkeypatch.setattr(Toy, "stop_after", 50)
    with pytest.raises(KeyboardInterrupt):
        toy.encode(texts)
    before = len(Toy.seen)
    monkeypatch.setattr(Toy, "stop_after", 10**9)
    toy.encode(texts)
    assert 100 <= len(Toy.seen) <= 100 + 12
    assert before > 50


def test_saving_keeps_the_name_and_no_weights(model: Path, tmp_path: Path) -> None:
    toy = made(model)
    toy.save(tmp_path / "saved")
    (file,) = (tmp_path / "saved").iterdir()
    content = json.loads(file.read_text())
    assert content == {
        **{"name": "toy", "model": str(model), "dim": 5, "revision": None},
        **{"weights": weights_of(model)},
    }
    assert toy.spec == f"toy:{model}"
    assert load_encoder(tmp_path / "saved").fingerprint == toy.fingerprint  # type: ignore[attr-defined]


def test_a_relative_folder_is_found_from_elsewhere(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Toy("model").save(tmp_path / "saved")
    monkeypatch.chdir("/")
    assert load_encoder(tmp_path / "saved").dim == 5


def change(name: str, content: str) -> Callable[[Path], object]:
    return lambda model: (model / name).write_text(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda model: model.rename(model.with_name("moved")), "cannot be found"),
        (change("model.safetensors", "0.6"), "is another model"),
        (change("config.json", '{"a": 1}'), "is another model"),
        (change("vocab.txt", "a"), "is another model"),
        (lambda model: (model / "model.safetensors").unlink(), "holds no model"),
    ],
)
def test_a_model_that_is_gone_or_changed(
    model: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    made(model).save(tmp_path / "saved")
    damage(model)
    with pytest.raises(DataError, match=message) as caught:
        load_encoder(tmp_path / "saved")
    for part in (str(tmp_path / "saved" / "encoder.json"), str(model), "name the folder where"):
        assert part in str(caught.value)


def test_what_does_not_matter_may_change(model: Path, tmp_path: Path) -> None:
    made(model).save(tmp_path / "saved")
    (model / "README.md").write_text("new")
    (model / "pytorch_model.bin").write_text("the same in another format")
    (model / "onnx").mkdir()
    (model / "onnx" / "config.json").write_text("{}")
    (model / ".cache").mkdir()
    (model / ".cache" / "x.json").write_text("{}")
    assert load_encoder(tmp_path / "saved").dim == 5


def test_the_advice_helps(model: Path, tmp_path: Path) -> None:
    made(model).save(tmp_path / "saved")
    moved = model.rename(model.with_name("moved"))
    path = tmp_path / "saved" / "encoder.json"
    path.write_text(path.read_text().replace(str(model), str(moved)))
    assert load_encoder(tmp_path / "saved").encode(["a"]).shape == (1, 5)


@pytest.mark.parametrize("content", [{}, {"model": 3, "dim": 5, "weights": "a"}, {"model": "x"}])
def test_damaged_descriptions_are_named(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "encoder.json").write_text(json.dumps({"name": "toy", **content}))
    with pytest.raises(DataError, match="is not a saved Toy"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["", " ", 3, None])
def test_the_name_is_checked(name: Any) -> None:
    with pytest.raises(ValueError, match="model_name must be a folder or a name, received"):
        Toy(name)


def test_files_that_are_no_model(model: Path) -> None:
    (model / "model.safetensors").write_text("no number")
    with pytest.raises(DataError, match=r"is no model for Toy \(ValueError"):
        Toy(str(model))


@pytest.mark.parametrize("name", ["./none", "/no/where", "~/none-of-mine", "a/b/c"])
def test_a_path_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        find_model(name, "toy")


def test_a_hub_name_needs_the_hub_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[toy\]'"):
        find_model("org/name", "toy")


def test_downloads_are_asked_for_what_is_needed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the hub's client, since tests have no network."""
    snapshot = model.rename(tmp_path / ("0123456789" * 4))
    asked: list[tuple[str, list[str], dict[str, Any]]] = []

    class Hub:
        @staticmethod
        def snapshot_download(name: str, *, allow_patterns: list[str], **options: Any) -> str:
            asked.append((name, allow_patterns, options))
            if "gone" in name:
                raise OSError("404\nmore")
            return str(snapshot)

    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub)
    toy = Toy("org/name")
    assert asked[0][0] == "org/name"
    assert "*.safetensors" in asked[0][1]
    assert not any("bin" in pattern for pattern in asked[0][1])
    toy.save(tmp_path / "saved")
    asked.clear()
    load_encoder(tmp_path / "saved")
    assert [options for _, _, options in asked] == [
        {"revision": "0123456789" * 4, "local_files_only": True}
    ]
    assert (toy.model_name, revision_of(snapshot)) == ("org/name", "0123456789" * 4)
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    asked.clear()
    assert find_model("org/old", "toy") == snapshot
    assert asked[1][1][-1] == "*.bin"
    with pytest.raises(DataError, match=r"hub did not give it \(OSError: 404\)"):
        find_model("org/gone", "toy")


@pytest.mark.parametrize(
    ("cls", "module", "extra"),
    [
        (SentenceTransformerEncoder, "sentence_transformers", "sentence-transformers"),
        (Model2VecEncoder, "model2vec", "model2vec"),
        (MlxTextEncoder, "mlx_embeddings", "mlx-text"),
    ],
)
def test_a_missing_library_names_its_extra(
    cls: type[PretrainedEncoder],
    module: str,
    extra: str,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    wanted = rf"{cls.__name__} needs {module.replace('_', '-')} .*pip install 'dtgcnn\[{extra}\]'"
    with pytest.raises(MissingExtraError, match=wanted):
        cls(str(model))


def test_batches_have_one_shape_each() -> None:
    lengths = [3, 5, 3, 3, 9, 5, 3]
    batches = list(equal_shapes(lengths, 2))
    assert [batch for batch, _ in batches] == [[4], [1, 5], [0, 2], [3, 6]]
    assert [filled for _, filled in batches] == [[4, 4], [1, 5], [0, 2], [3, 6]]
    assert list(equal_shapes([], 2)) == []


class Short(Toy):
    """Reads ten letters."""

    limit: ClassVar[str] = "10 letters"

    def _cut(self, model: Any, texts: list[str]) -> list[bool]:
        return [len(text) > 10 for text in texts]


def test_texts_that_are_cut_are_counted_from_the_cache_too(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = ["a text", "a longer text", "a longer text", "one more that is long", "short"]
    for _ in range(2):
        caplog.clear()
        Short(str(model)).encode(texts)
        assert "Short: 3 of 5 texts have more than the model's 10 letters" in caplog.text
    caplog.clear()
    Short(str(model)).encode(["a text", "short"])
    assert "what comes after" not in caplog.text


def test_sentence_transformers_count_tokens() -> None:
    class Model:
        max_seq_length = 3

        @staticmethod
        def tokenizer(texts: list[str], truncation: bool, max_length: int) -> Any:
            return {"input_ids": [text.split()[:max_length] for text in texts]}

    encoder = SentenceTransformerEncoder.__new__(SentenceTransformerEncoder)
    assert encoder._cut(Model, ["a b c", "a b c d", "a"]) == [False, True, False]
    assert encoder._cut(object(), ["a b c d"]) == [False]
