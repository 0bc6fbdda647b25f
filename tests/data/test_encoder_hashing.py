"""HashingEncoder: rows without anything learnt, the same on every machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn.data import Encoder, HashingEncoder, load_encoder
from dtgcnn.data.encoders.ngrams import NGrams
from dtgcnn.errors import DataError

from .test_encoders import corpus

pytest.importorskip("sklearn", reason="HashingEncoder needs scikit-learn")


def test_rows_have_unit_length_and_like_texts_lie_near_like() -> None:
    encoder = HashingEncoder(64)
    rows = encoder.encode(["lost card pin", "pin of my lost cards", "loan rate transfer"])
    assert rows.shape == (3, 64)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3
    assert isinstance(encoder, Encoder)
    assert encoder.fit(["x"]) is encoder


def test_a_row_does_not_depend_on_the_others() -> None:
    encoder, texts = HashingEncoder(32), corpus(100, seed=2)
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(encoder.encode(texts[::-1]), together[::-1])
    assert encoder.encode([]).shape == (0, 32)


def test_the_projection_keeps_inner_products_on_average() -> None:
    texts = [*corpus(60, seed=3), *corpus(60, seed=3)]
    wide, narrow = HashingEncoder(8192).encode(texts), HashingEncoder(256).encode(texts)
    errors = (wide @ wide.T - narrow @ narrow.T)[np.triu_indices(len(texts), 1)]
    assert abs(errors.mean()) < 0.05
    assert errors.std() < 2 / np.sqrt(256)


def test_rows_are_the_same_on_every_machine() -> None:
    row = HashingEncoder(8).encode(["where is my card?"])[0]
    written = [-0.10494, -0.04903, 0.1402, 0.69328, -0.00344, 0.33632, 0.35008, -0.50061]
    np.testing.assert_allclose(row, written, atol=1e-5)


def test_a_word_order_and_a_count_are_seen() -> None:
    rows = HashingEncoder(128).encode(["dog bites man", "man bites dog", "dog dog bites man"])
    assert (rows[0] != rows[1]).any()
    assert (rows[0] != rows[2]).any()


def test_round_trip(tmp_path: Path) -> None:
    encoder = HashingEncoder(24)
    encoder.save(tmp_path)
    loaded = load_encoder(tmp_path)
    assert isinstance(loaded, HashingEncoder)
    assert (loaded.dim, loaded.fingerprint) == (24, encoder.fingerprint)
    np.testing.assert_array_equal(loaded.encode(corpus(9)), encoder.encode(corpus(9)))


def test_the_n_grams_are_those_of_scikit_learn_but_in_scripts_without_spaces(
    tmp_path: Path,
) -> None:
    """A saved encoder that names no length of theirs keeps three, as it was."""
    from sklearn.feature_extraction.text import HashingVectorizer

    (tmp_path / "encoder.json").write_text(json.dumps({"name": "hashing", "dim": 4096}))
    before, now = load_encoder(tmp_path), HashingEncoder(4096)
    texts = corpus(30)
    np.testing.assert_array_equal(before.encode(texts), now.encode(texts))
    same = ["今天下雨", "下雨了"]
    old, new = (of.encode(same) for of in (before, now))
    assert abs(old[0] @ old[1]) < 0.02
    assert new[0] @ new[1] > 0.08
    assert before.fingerprint != now.fingerprint
    for encoder in (before, now):
        encoder.save(tmp_path / "again")
        np.testing.assert_array_equal(
            load_encoder(tmp_path / "again").encode(same), encoder.encode(same)
        )
    blocks = [
        HashingVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"),
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5)),
    ]
    for settings, block in zip(now._blocks(), blocks, strict=True):
        plain = HashingVectorizer(analyzer=NGrams(settings).of)
        assert abs(plain.transform(texts) - block.transform(texts)).max() < 1e-12


@pytest.mark.parametrize("content", [{}, {"dim": 0}, {"dim": "8"}, {"dim": 8, "unspaced": 0}])
def test_damaged_files_are_named(tmp_path: Path, content: Any) -> None:
    (tmp_path / "encoder.json").write_text(json.dumps({"name": "hashing", **content}))
    with pytest.raises(DataError, match="is not a saved HashingEncoder") as caught:
        load_encoder(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("texts", ["abc", ["a", " "], ["a", 3]])
def test_texts_are_checked(texts: Any) -> None:
    with pytest.raises(DataError, match=r"HashingEncoder\.encode"):
        HashingEncoder(8).encode(texts)
    with pytest.raises(ValueError, match="dim must be a whole number of at least 1, received 0"):
        HashingEncoder(0)
