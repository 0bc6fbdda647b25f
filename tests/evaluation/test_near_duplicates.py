"""Near-duplicates against all pairs by scikit-learn, block by block and in part."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from dtgcnn.data import load_sample
from dtgcnn.evaluation import near_duplicates

text = pytest.importorskip("sklearn.feature_extraction.text")
module: Any = importlib.import_module("dtgcnn.evaluation.near_duplicates")


def variants(count: int = 250) -> list[str]:
    """Texts of the sample, each with three copies of few changed words."""
    rng = np.random.default_rng(0)
    texts = load_sample().texts
    assert texts is not None
    made = []
    for original in texts[:count]:
        made.append(original)
        for changed in range(1, 4):
            words = original.split()
            for place in rng.permutation(len(words))[:changed]:
                words[place] = words[place][::-1]
            made.append(" ".join(words))
    return list(dict.fromkeys(made))


def expected(similarity: Any, bound: float, labels: Any, sides: Any, equal: Any) -> dict[str, set]:
    a, b = np.nonzero(np.triu(similarity, 1) >= bound)
    a, b = a[equal[a] != equal[b]], b[equal[a] != equal[b]]
    known = (labels[a] >= 0) & (labels[b] >= 0)
    across, other = sides[a] != sides[b], labels[a] != labels[b]
    kinds = {"leak": across, "contradiction": known & other, "same class": known & ~other & ~across}
    return {kind: set(zip(a[of].tolist(), b[of].tolist())) for kind, of in kinds.items()}


@pytest.mark.parametrize("block", [1 << 23, 2000])
def test_texts_by_prefixes_are_all_pairs(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    texts = variants()
    rng = np.random.default_rng(1)
    labels, sides = rng.integers(-1, 3, len(texts)), rng.integers(0, 2, len(texts))
    weights = text.TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True)
    x = weights.fit_transform(texts)
    equal = np.unique(texts, return_inverse=True)[1]
    own = expected((x @ x.T).toarray(), module.NEAR_TEXTS, labels, sides, equal)
    assert min(map(len, own.values())) > 10
    found = near_duplicates(texts, equal, labels, sides)
    assert {kind: set(pairs) for kind, pairs in found.pairs.items()} == own
    assert found.counts == {kind: len(pairs) for kind, pairs in own.items()}
    assert found.rows == found.looked_up


@pytest.mark.parametrize("block", [1 << 23, 500])
def test_vectors_are_all_pairs(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    rng = np.random.default_rng(0)
    x = np.repeat(rng.standard_normal((60, 16)), 4, axis=0) + 0.1 * rng.standard_normal((240, 16))
    labels, sides = rng.integers(-1, 3, 240), rng.integers(0, 2, 240)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    own = expected(unit @ unit.T, module.NEAR_VECTORS, labels, sides, np.arange(240))
    assert min(map(len, own.values())) > 20
    found = near_duplicates(3 * x, np.arange(240), labels, sides)
    assert {kind: set(pairs) for kind, pairs in found.pairs.items()} == own


@pytest.mark.parametrize("of", ["texts", "vectors"])
def test_in_part_each_pair_is_found_once(monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    inputs: Any = [
        "the same words about one thing are here, once more and again " * 3 + "!" * i
        for i in range(6)
    ]
    if of == "vectors":
        inputs = np.ones((6, 4)) + 1e-3 * np.arange(24).reshape(6, 4)
    monkeypatch.setattr(module, "_WORK", 6 * 6 * 4 // 2)
    everything = near_duplicates(inputs, np.arange(6), np.zeros(6, int), np.zeros(6, int))
    work = module._prefixes(module._weights(inputs), 0.9) if of == "texts" else None
    if work is not None:
        assert everything.counts["same class"] == 15
        products = int((work @ np.bincount(work.indices, minlength=work.shape[1])).sum())
        monkeypatch.setattr(module, "_SPARSE_WORK", -(-products // 2))
    found = near_duplicates(inputs, np.arange(6), np.zeros(6, int), np.zeros(6, int))
    assert found.looked_up == 3
    pairs = found.pairs["same class"]
    asked = {(a, b) for a in range(6) for b in range(a + 1, 6) if a % 2 == 0 or b % 2 == 0}
    assert set(pairs) == asked
    assert len(pairs) == len(asked)


def test_equal_rows_are_none_and_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.ones((30, 4)) + 1e-3 * np.arange(120).reshape(30, 4)
    monkeypatch.setattr(module, "MOST_PLACES", 7)
    nothing = near_duplicates(x, np.zeros(30, int), np.arange(30), np.zeros(30, int))
    assert nothing.counts == {"same class": 0, "leak": 0, "contradiction": 0}
    found = near_duplicates(x, np.arange(30), np.arange(30), np.zeros(30, int))
    assert found.counts["contradiction"] == 30 * 29 // 2
    assert len(found.pairs["contradiction"]) == 7
