"""Encoders: rows that do not depend on their company, and survive a round trip to disk."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dtgcnn.array import limit_threads, processors
from dtgcnn.data import (
    Encoder,
    HashingEncoder,
    TfidfEncoder,
    available_encoders,
    load_encoder,
    make_encoder,
    register_encoder,
)
from dtgcnn.data.encoders import ngrams
from dtgcnn.data.encoders import registry as encoders
from dtgcnn.data.encoders.ngrams import NGrams
from dtgcnn.errors import DataError, MissingExtraError

WORDS = ["card", "cash", "loan", "rate", "limit", "transfer", "pin", "lost", "late", "fee", "when"]


def corpus(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 8))) + "?" for _ in range(count)]


@pytest.fixture(scope="module")
def fitted() -> TfidfEncoder:
    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    return TfidfEncoder(16).fit(corpus(200))


def test_rows_have_unit_length_and_full_rank(fitted: TfidfEncoder) -> None:
    rows = fitted.encode(corpus(50, seed=1))
    assert rows.shape == (50, 16)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    assert (fitted.rank, fitted.dim, fitted.name) == (16, 16, "tfidf")
    assert isinstance(fitted, Encoder)


def test_like_texts_lie_near_like(fitted: TfidfEncoder) -> None:
    a, b, c = fitted.encode(["lost card pin", "pin of my lost cards", "loan rate transfer"])
    assert a @ b > a @ c + 0.3


def test_a_row_does_not_depend_on_the_others(fitted: TfidfEncoder) -> None:
    texts = corpus(300, seed=2)
    together = fitted.encode(texts)
    alone = np.concatenate([fitted.encode([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(fitted.encode(texts[::-1]), together[::-1])


def test_fitting_again_gives_the_same(fitted: TfidfEncoder) -> None:
    texts = corpus(20, seed=3)
    again = TfidfEncoder(16).fit(corpus(200))
    np.testing.assert_array_equal(again.encode(texts), fitted.encode(texts))


@pytest.mark.skipif(processors() < 2, reason="needs two processors")
def test_fitting_gives_the_same_by_any_number_of_threads() -> None:
    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    pairs = [" ".join(rows) for rows in zip(corpus(900), corpus(900, seed=4), strict=True)]
    prints = []
    for count in (1, 2):
        with limit_threads(count):
            prints.append(TfidfEncoder(256).fit(pairs).fingerprint)
    assert prints[0] == prints[1]


def test_round_trip_is_bit_equal(fitted: TfidfEncoder, tmp_path: Path) -> None:
    fitted.save(tmp_path / "new" / "folder")
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        *("encoder.json", "encoder.safetensors")
    }
    texts = corpus(100, seed=4)
    for loaded in (
        TfidfEncoder.load(tmp_path / "new" / "folder"),
        load_encoder(tmp_path / "new" / "folder"),
    ):
        assert isinstance(loaded, TfidfEncoder)
        assert (loaded.dim, loaded.rank) == (16, 16)
        np.testing.assert_array_equal(loaded.encode(texts), fitted.encode(texts))
        loaded.save(tmp_path / "again")
        for name in ("encoder.json", "encoder.safetensors"):
            before, after = tmp_path / "new" / "folder" / name, tmp_path / "again" / name
            assert before.read_bytes() == after.read_bytes()


def test_few_texts_leave_the_last_columns_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fitted: TfidfEncoder
) -> None:
    encoder = TfidfEncoder(32).fit(["lost card", "loan rate", "late fee", "late fee"])
    assert encoder.rank == 3
    assert "4 texts allow 3 dimensions; the other 29 of 32 are zero" in caplog.text
    rows = encoder.encode(["lost card", "late fee"])
    assert rows.shape == (2, 32)
    assert (rows[:, 3:] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    encoder.save(tmp_path)
    np.testing.assert_array_equal(
        TfidfEncoder.load(tmp_path).encode(["lost card", "late fee"]), rows
    )


@pytest.mark.parametrize("texts", [["one"], ["!?!?", "..."], ["a", "b"], ["猫", "犬が"]])
def test_the_smallest_corpora(texts: list[str], fitted: TfidfEncoder) -> None:
    rows = TfidfEncoder(4).fit(texts).encode(texts)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_unknown_texts_give_zero_rows_and_a_warning(
    fitted: TfidfEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        rows = fitted.encode(["lost card", "猫", "犬"])
    assert (rows == 0).all(axis=1).tolist() == [False, True, True]
    assert "2 of 3 texts have no known n-gram" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
        {"analyzer": "char_wb", "ngram_range": (3, 5)},
    ],
)
def test_n_grams_and_their_weights_are_those_of_scikit_learn(settings: dict[str, Any]) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    known = ["İstanbul STRASSE ﬁn", "pin  pin\tpin\n", "a\x1cb\u2003c", "x", *corpus(50)]
    peer = text.TfidfVectorizer(**settings, sublinear_tf=True, dtype=np.float32).fit(known)
    ngrams = NGrams(settings)
    ngrams.know(peer.get_feature_names_out().tolist(), peer.idf_)
    texts = [*known, "猫 !?", "straße pinned", *corpus(50, seed=1)]
    assert list(map(ngrams.of, texts)) == list(map(peer.build_analyzer(), texts))
    ours, theirs = ngrams.weigh(texts), peer.transform(texts)
    for part in ("indptr", "indices", "data"):
        a, b = getattr(ours, part), getattr(theirs, part)
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_words_of_scripts_without_spaces_have_shorter_n_grams() -> None:
    plain = NGrams({"analyzer": "char_wb", "ngram_range": (3, 5)})
    short = NGrams({"analyzer": "char_wb", "ngram_range": (3, 5), "unspaced": 1})
    for text in ("late parcel", "ça va", "пин-код", "नमस्ते"):
        assert short.of(text) == plain.of(text)
    assert plain.of("卡片") == [" 卡片", "卡片 ", " 卡片 "]
    for word in ("卡片", "カー", "ｶｰ", "บัตร"[:2], "카드", "កា"):
        one, two = word
        singles = [one, two, f" {one}", word, f"{two} "]
        assert short.of(f"pin {word}") == [*plain.of("pin"), *singles, *plain.of(word)]


def test_n_grams_of_long_words_are_not_kept() -> None:
    block = NGrams({"analyzer": "char_wb", "ngram_range": (3, 5)})
    ngrams._parts.cache_clear()
    for word in ("late", "卡" * 500):
        assert len(block.of(word)) == sum(len(f" {word} ") - n + 1 for n in (3, 4, 5))
    assert ngrams._parts.cache_info().currsize == 1


def test_an_interrupted_fit_leaves_the_encoder_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    encoder = TfidfEncoder(8).fit(["late parcel", "card lost", "a refund please"])
    rows = encoder.encode(["card of late"])
    monkeypatch.setattr("dtgcnn.data.encoders.tfidf._directions", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoder.fit(["other words", "there and here"])
    assert np.array_equal(encoder.encode(["card of late"]), rows)


def test_a_chinese_text_shares_n_grams_with_another_by_one_character() -> None:
    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    rows = TfidfEncoder(8).fit(["我的卡丢了", "怎么退款", "卡", "退货"]).encode(["新卡", "退"])
    assert rows.any(axis=1).all()


def test_no_texts_give_no_rows(fitted: TfidfEncoder) -> None:
    assert fitted.encode([]).shape == (0, 16)


def test_rare_character_n_grams_are_left_out_of_large_corpora(fitted: TfidfEncoder) -> None:
    texts = [*corpus(1001), "zyzzyva"]
    large = TfidfEncoder(8).fit(texts)
    characters = large._blocks[1].vocabulary
    assert "yzz" not in characters
    assert "car" in characters
    assert "yzz" in TfidfEncoder(8).fit(texts[-100:])._blocks[1].vocabulary


class Table(list[str]):
    """What gives the names of its columns, as a data frame does."""

    shape = (30, 2)

    def __repr__(self) -> str:
        return "<a table>"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "fit: 'texts': must hold at least one text, received none"),
        ("abc", "fit: 'texts': must be a list of texts, received 'abc'"),
        (3, "fit: 'texts': must be a list of texts, received 3"),
        ({"text": ["a", "b"]}, "fit: 'texts': must be a list of texts, received {"),
        (Table(("text", "label")), "fit: 'texts': must be a list of texts, received <"),
        (["a", " "], "fit: record 1 .*'texts': must be a string that is not blank, received ' '"),
        (["a", 3], "fit: record 1 .*received 3"),
    ],
)
def test_fit_checks_its_texts(texts: Any, message: str, fitted: TfidfEncoder) -> None:
    with pytest.raises(DataError, match=message):
        TfidfEncoder(4).fit(texts)
    if texts:
        with pytest.raises(DataError, match=message.replace("fit", "encode")):
            fitted.encode(texts)


def test_texts_may_come_from_what_gives_them_once() -> None:
    texts = corpus(30)
    whole, once = (TfidfEncoder(4).fit(given) for given in (texts, iter(texts)))
    np.testing.assert_array_equal(once.encode(iter(texts)), whole.encode(texts))


@pytest.mark.parametrize("dim", [0, -1, 2.5, True, "8"])
def test_dim_is_checked(dim: Any) -> None:
    with pytest.raises(ValueError, match=r"dim must be a whole number of at least 1, received"):
        TfidfEncoder(dim)


def test_an_unfitted_encoder_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"encode needs a fitted encoder: call fit"):
        TfidfEncoder(4).encode(["a"])
    with pytest.raises(RuntimeError, match=r"save needs a fitted encoder"):
        TfidfEncoder(4).save(tmp_path)


def damage_json(folder: Path, **changes: Any) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def damage_arrays(folder: Path, name: str) -> None:
    arrays = load_file(folder / "encoder.safetensors")
    save_file({**arrays, name: arrays[name][:-1].copy()}, folder / "encoder.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "encoder.safetensors").unlink(), "is not a saved TfidfEncoder"),
        (lambda f: (f / "encoder.safetensors").write_bytes(b"no"), "is not a saved TfidfEncoder"),
        (lambda f: damage_arrays(f, "idf.0"), "is not a saved TfidfEncoder"),
        (lambda f: damage_arrays(f, "components"), "components must have the shape"),
        (lambda f: damage_json(f, dim=8), "components must have the shape"),
        (lambda f: damage_json(f, blocks=[{}]), "is not a saved TfidfEncoder"),
        (lambda f: (f / "encoder.json").unlink(), "encoder.json: cannot be read: No such file"),
        (lambda f: (f / "encoder.json").write_text("{"), "is not the description of an encoder"),
        (lambda f: (f / "encoder.json").write_text("[]"), "is not the description of an encoder"),
        (lambda f: damage_json(f, name="bert"), "'name' must be one of .*tfidf.*received 'bert'"),
        (lambda f: damage_json(f, name=[1]), "'name' must be one of"),
    ],
)
def test_damaged_files_are_named(
    fitted: TfidfEncoder, tmp_path: Path, damage: Any, message: str
) -> None:
    fitted.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        load_encoder(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_without_scikit_learn_the_extra_is_named(
    fitted: TfidfEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(tmp_path)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    rows = load_encoder(tmp_path).encode(["lost card"])
    np.testing.assert_array_equal(rows, fitted.encode(["lost card"]))
    calls: list[Callable[[], object]] = [
        lambda: TfidfEncoder(4).fit(["a"]),
        lambda: HashingEncoder(4).encode(["a"]),
    ]
    for call in calls:
        with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[text\]'") as caught:
            call()
        assert isinstance(caught.value, ImportError)


class Lengths:
    """An encoder of somebody else's."""

    name: str = "lengths"
    dim: int = 1

    def fit(self, texts: Sequence[str]) -> Self:
        return self

    def encode(self, texts: Sequence[str]) -> Any:
        return np.array([[len(text)] for text in texts], np.float32)

    def save(self, directory: Any) -> None:
        (Path(directory) / "encoder.json").write_text(json.dumps({"name": self.name}))

    @classmethod
    def load(cls, directory: Any) -> Self:
        return cls()


def test_other_encoders_can_be_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_registry", dict(encoders._registry))
    assert register_encoder(Lengths) is Lengths
    Lengths().save(tmp_path)
    loaded = load_encoder(tmp_path)
    assert isinstance(loaded, Lengths)
    assert isinstance(loaded, Encoder)
    with pytest.raises(ValueError, match="name must be free, received 'lengths'"):
        register_encoder(type("Other", (Lengths,), {}))
    anew = type("Lengths", (Lengths,), {})  # as a notebook's cell that is run again
    assert register_encoder(anew) is anew
    assert type(load_encoder(tmp_path)) is anew


def test_the_fingerprint_tells_what_was_fitted(fitted: TfidfEncoder, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert TfidfEncoder.load(tmp_path).fingerprint == fitted.fingerprint
    others = [
        TfidfEncoder(15).fit(corpus(200)),
        TfidfEncoder(16).fit(corpus(199)),
        HashingEncoder(16),
        HashingEncoder(15),
    ]
    found = {fitted.fingerprint, *(other.fingerprint for other in others)}
    assert len(found) == 5
    assert all(len(fingerprint) == 64 and int(fingerprint, 16) for fingerprint in found)
    with pytest.raises(RuntimeError, match=r"fingerprint needs a fitted encoder"):
        _ = TfidfEncoder(4).fingerprint


def test_many_texts_are_encoded_in_parts(
    fitted: TfidfEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [*corpus(50, seed=6), "猫"]
    whole, hashed = fitted.encode(texts), HashingEncoder(16).encode(texts)
    monkeypatch.setattr("dtgcnn.data.encoders.encoding._BATCH", 7)
    caplog.clear()
    np.testing.assert_array_equal(fitted.encode(texts), whole)
    np.testing.assert_array_equal(HashingEncoder(16).encode(texts), hashed)
    assert "1 of 51 texts have no known n-gram" in caplog.text


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bert", "must be one of tfidf, hashing, sentence-transformer:MODEL, .*received 'bert'"),
        ("", "must be one of tfidf"),
        ("tfidf:3", "must be tfidf, received 'tfidf:3'"),
        ("hashing:", "must be hashing, received 'hashing:'"),
        ("model2vec", "must be model2vec:MODEL, received 'model2vec'"),
        ("mlx:", "must be mlx:MODEL, received 'mlx:'"),
    ],
)
def test_an_unknown_spec_lists_what_there_is(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"encoder {message}"):
        make_encoder(spec)


def test_encoders_are_made_by_name() -> None:
    assert isinstance(make_encoder("tfidf", 8), TfidfEncoder)
    made = make_encoder("hashing", 8)
    assert isinstance(made, HashingEncoder)
    assert made.dim == 8
    assert available_encoders()[:2] == ["tfidf", "hashing"]


def test_large_counts_of_texts_are_told_in_groups_of_digits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    encoder = TfidfEncoder(2).fit(["the cat", "the dog"] * 600)
    encoder.encode(["the cat", *["12345"] * 1200])
    assert "TfidfEncoder: 1,200 of 1,201 texts have no known n-gram" in caplog.text
