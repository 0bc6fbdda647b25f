"""Encoders side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN
from dtgcnn.cli import main
from dtgcnn.config import DTGCNNConfig
from dtgcnn.data import (
    Encoder,
    HashingEncoder,
    PieceEncoder,
    TfidfEncoder,
    TripletDataset,
    UnionEncoder,
    load_encoder,
    make_encoder,
    sample_path,
)
from dtgcnn.errors import DataError
from dtgcnn.storage import hub
from dtgcnn.training.fitting import fit_rows

pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")

TEXTS = ["lost my card", "the card is late", "a loan and its rate", "what is the fee", "fee fee"]


class Numbers:
    """Lengths of words, of texts that begin with a prompt's ``q``; zeros for ``none``."""

    name = "numbers"
    dim = 3
    prompts = {"query": "q "}  # noqa: RUF012
    progress = trust_remote_code = True

    def fit(self, texts: Sequence[str]) -> Self:
        return self

    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> Any:
        before = "" if prompt_name is None else self.prompts[prompt_name]
        words = [([*map(len, (before + text).split()), 0, 0])[:3] for text in texts]
        rows = np.array(words, np.float32)
        rows[[text == "none" for text in texts]] = 0
        return rows


class Marks(Numbers):
    """Whether a text has marks; knows no prompts."""

    name = "marks"
    dim = 2
    prompts = {}  # noqa: RUF012

    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> Any:
        assert prompt_name is None
        return np.array([["?" in text, "!" in text] for text in texts], np.float32)


def union(*parts: Any, weights: Sequence[float] | None = None) -> UnionEncoder:
    return UnionEncoder(parts, weights)


def unit(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def test_a_cosine_is_the_weighed_mean_of_theirs() -> None:
    parts = [HashingEncoder(40), TfidfEncoder(4), HashingEncoder(30)]
    both = union(*parts, weights=[1, 2, 0.5]).fit(TEXTS)
    rows = both.encode(TEXTS)
    assert (rows.shape, rows.dtype, both.dim) == ((5, 74), np.float32, 74)
    cosines = [unit(part.encode(TEXTS)) @ unit(part.encode(TEXTS)).T for part in parts]
    expected = (cosines[0] + 4 * cosines[1] + 0.25 * cosines[2]) / 5.25
    np.testing.assert_allclose(rows @ rows.T, expected, atol=1e-6)
    assert isinstance(both, Encoder)


def test_the_first_counts_most_unless_weights_say_otherwise() -> None:
    assert union(Numbers(), Marks(), Marks()).weights == [1.0, 0.5, 0.5]
    rows = union(Numbers(), Marks()).encode(["four four four ?", "none"])
    np.testing.assert_allclose((rows[:, 3:] ** 2).sum(axis=1), [0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0], rtol=1e-6)


def test_a_text_that_one_does_not_know_has_the_others_row() -> None:
    rows = union(Numbers(), Marks()).encode(["none?", "none", "none !"])
    np.testing.assert_array_equal(rows[1], 0)
    known = union(Numbers(), Marks()).encode(["one two three"])
    np.testing.assert_allclose(known[0, :3], unit(np.array([[3, 3, 5.0]]))[0], rtol=1e-6)


@pytest.mark.parametrize("dim", [1, 3])
def test_rows_that_do_not_fit_are_refused(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    both = union(HashingEncoder(4), Marks())
    monkeypatch.setattr(Marks, "encode", lambda self, texts: np.ones((len(texts), dim)))
    said = rf"the encoder marks must give an array of shape \(2, 2\), not \(2, {dim}\)"
    with pytest.raises(ValueError, match=said):
        both.encode(["one", "two"])


def test_a_row_does_not_depend_on_the_others() -> None:
    both = union(HashingEncoder(20), TfidfEncoder(5)).fit(TEXTS)
    alone = np.concatenate([both.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(alone, both.encode(TEXTS))


def test_it_is_saved_with_all_it_holds(tmp_path: Path) -> None:
    both = union(HashingEncoder(20), TfidfEncoder(5), weights=[0.25, 1]).fit(TEXTS)
    both.save(tmp_path / "new" / "folder")
    loaded: Any = load_encoder(tmp_path / "new" / "folder")
    np.testing.assert_array_equal(loaded.encode(TEXTS), both.encode(TEXTS))
    assert (loaded.weights, loaded.spec) == ([0.25, 1.0], "hashing+tfidf")
    assert loaded.fingerprint == both.fingerprint
    other = union(HashingEncoder(20), TfidfEncoder(5), weights=[0.3, 1]).fit(TEXTS)
    assert other.fingerprint != both.fingerprint


@pytest.mark.parametrize("change", [{"dim": 24}, {"weights": [1.0]}, {"weights": None}])
def test_damaged_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    union(HashingEncoder(20), TfidfEncoder(5)).fit(TEXTS).save(tmp_path)
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match="is not a saved UnionEncoder"):
        load_encoder(tmp_path)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    union(HashingEncoder(20), TfidfEncoder(5)).fit(TEXTS).save(tmp_path)
    (tmp_path / "1" / "encoder.json").unlink()
    with pytest.raises(DataError, match=r"1.encoder\.json"):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    ("parts", "weights", "message"),
    [
        ([HashingEncoder(4)], None, "encoders must be two or more, received 1"),
        ([HashingEncoder(4), 3], None, "must be an Encoder, such as"),
        ([HashingEncoder(4), PieceEncoder(8, 50)], None, "must make vectors, which pieces are not"),
        ([HashingEncoder(4)] * 2, [1.0], "weights must be 2 numbers above 0"),
        ([HashingEncoder(4)] * 2, [1.0, 0.0], "weights must be 2 numbers above 0"),
        ([HashingEncoder(4)] * 2, [1.0, np.inf], "weights must be 2 numbers above 0"),
    ],
)
def test_what_cannot_be_joined(parts: list[Any], weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        union(*parts, weights=weights)


def test_prompts_go_to_those_that_know_them() -> None:
    both = union(Numbers(), Marks())
    assert both.prompts == {"query": "q "}
    plain, asked = both.encode(["one two ?"]), both.encode(["one two ?"], prompt_name="query")
    assert (plain[0, :3] != asked[0, :3]).any()
    with pytest.raises(ValueError, match="prompt_name must be one of 'query', received 'passage'"):
        both.encode(["one"], prompt_name="passage")
    with pytest.raises(ValueError, match="prompt_name must be one of none"):
        union(HashingEncoder(4), Marks()).encode(["one"], prompt_name="query")


def test_an_empty_prompt_hides_no_other() -> None:
    plain = Marks()
    plain.prompts = {"query": "", "document": ""}  # as sentence-transformers' own are
    for parts in ((Numbers(), plain), (plain, Numbers())):
        both = union(*parts)
        assert both.prompts == {"query": "q ", "document": ""}
        model = DTGCNN(DTGCNNConfig(input_dim=5), backend="numpy", encoder=both)
        assert (model.prompt_of("query"), model.prompt_of("document")) == ("query", None)


def test_what_is_set_is_set_of_each() -> None:
    both = union(Numbers(), HashingEncoder(4))
    assert (both.progress, both.cache, both.trust_remote_code) == (True, False, True)
    both.progress = both.trust_remote_code = both.cache = False
    assert [part.progress for part in both.encoders] == [False, False]  # type: ignore[attr-defined]
    assert not both.trust_remote_code
    assert not hasattr(both.encoders[1], "cache")


# -- by its spec ------------------------------------------------------------------------------


def test_a_spec_names_them_in_order() -> None:
    both: Any = make_encoder("hashing+tfidf+hashing", 16)
    assert [part.name for part in both.encoders] == ["hashing", "tfidf", "hashing"]
    assert (both.spec, both.dim) == ("hashing+tfidf+hashing", 48)


@pytest.mark.parametrize(("width", "parts"), [(17, [9, 8]), (2, [1, 1])])
def test_one_width_is_shared(width: int, parts: list[int]) -> None:
    both: Any = make_encoder("hashing+tfidf", width, in_all=True)
    assert [part.dim for part in both.encoders] == parts


def test_frozen_encoders_keep_their_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry_of(), Numbers.name, Numbers)
    both: Any = make_encoder("numbers+tfidf", 16, in_all=True)
    assert [part.dim for part in both.encoders] == [3, 13]
    with pytest.raises(ValueError, match=r"input_dim must be at least 4 with numbers\+tfidf, rece"):
        make_encoder("numbers+tfidf", 3, in_all=True)


def registry_of() -> dict[str, Any]:
    from dtgcnn.data.encoders import registry

    return registry._registry


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("union", "encoder must be one of .*several with \\+ between them, received 'union'"),
        ("tfidf+", "received 'tfidf\\+'"),
        ("+tfidf", "received '\\+tfidf'"),
        ("tfidf+nothing", "received 'tfidf\\+nothing'"),
        ("tfidf+hashing:3", "encoder must be hashing, received 'hashing:3'"),
        ("tfidf+pieces", "must make vectors, which pieces are not"),
        ("tfidf+model2vec", "encoder must be model2vec:MODEL"),
    ],
)
def test_a_spec_that_is_none(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_encoder(spec)


def test_a_plus_in_the_name_of_a_model_joins_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="c\\+\\+"):  # no model lies there
        make_encoder(f"model2vec:{tmp_path}/c++/a+tfidf-b")


@pytest.mark.parametrize(
    ("spec", "folder"),
    [
        ("model2vec:a+tfidf", "a.tfidf"),
        ("model2vec:a+tfidf+hashing", "a.tfidf"),
        ("model2vec:a+hashing", "a"),
        ("tfidf+model2vec:a", "a"),
    ],
)
def test_a_folder_may_be_named_as_two_specs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a+tfidf", "a"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=rf"[/\\]{folder}: holds no model"):
        make_encoder(spec)


# -- trained ----------------------------------------------------------------------------------


def test_training_searching_and_telling(tmp_path: Path) -> None:
    few = ["--epochs", "2", "--backend", "numpy", "--no-map", "--set", "hidden_dims=[16]"]
    file, folder = sample_path(), tmp_path / "model"
    run = ["train", str(file), "--output", str(folder), "--encoder", "tfidf+hashing", *few]
    said = CliRunner().invoke(main, [*run, "--set", "input_dim=100", "--set", "output_dim=16"])
    assert said.exit_code == 0, said.output
    assert "encoder tfidf+hashing" in said.output
    model: Any = DTGCNN.load(folder)
    assert [part.dim for part in model.encoder.encoders] == [50, 50]
    assert "tfidf+hashing" in (folder / "README.md").read_text()
    told = CliRunner().invoke(main, ["predict", str(folder), "my parcel never showed up"])
    assert (told.exit_code, model.predict(["my parcel never showed up"])[0]) == (0, "late_delivery")
    assert "late_delivery" in told.output
    again = ["train", str(file), "--output", str(tmp_path / "again"), "--init", str(folder), *few]
    said = CliRunner().invoke(main, again)
    assert (said.exit_code, "encoder tfidf+hashing, " in said.output) == (0, True)


def test_estimators_make_it_twice_alike() -> None:
    data = TripletDataset(sample_path())
    assert data.texts is not None
    assert data.labels is not None
    some = TripletDataset.from_labelled(data.texts[:200], data.labels[:200])
    config = DTGCNNConfig(input_dim=41, hidden_dims=(8,), output_dim=8, num_epochs=1)
    for settings, given, dims in (({}, config, [21, 20]), ({"num_epochs": 1}, None, [384, 384])):
        model, _ = fit_rows(some, settings, given, encoder="tfidf+hashing", backend="numpy")
        encoder: Any = model.encoder
        assert [part.dim for part in encoder.encoders] == dims
        assert model.config.input_dim == sum(dims)


def test_a_part_that_lies_here_is_not_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: Any = HashingEncoder(4)
    here.model_name = str(tmp_path)
    monkeypatch.setattr(hub, "_library", lambda: None)
    both = union(HashingEncoder(4), here)
    for encoder in (both, union(HashingEncoder(4), both)):
        config = DTGCNNConfig(input_dim=encoder.dim, hidden_dims=(8,), output_dim=8)
        model: Any = DTGCNN(config, backend="numpy", encoder=encoder)
        with pytest.raises(ValueError, match="where nobody else has it"):
            model.push_to_hub("me/own")
