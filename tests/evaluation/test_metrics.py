"""Retrieval metrics against hand-computed cases and a brute-force reference."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn.evaluation import metrics as evaluate
from dtgcnn.evaluation.metrics import (
    comparison_table,
    pair_correlations,
    retrieval_metrics,
    triplet_accuracy,
    unit_rows,
)
from dtgcnn.model import ChosenRows

from ..conftest import DATA


def angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def brute_force(
    q: np.ndarray, qy: np.ndarray, g: np.ndarray, gy: np.ndarray, own: bool, k: int
) -> dict[str, float]:
    """One query and one rank at a time, straight from the definitions."""
    total: dict[str, list[float]] = defaultdict(list)
    for i in range(len(q)):
        others = [j for j in range(len(g)) if not (own and i == j)]
        similarity = {
            j: q[i] @ g[j] / (np.linalg.norm(q[i]) * np.linalg.norm(g[j])) for j in others
        }
        ranked = sorted(others, key=lambda j: (-similarity[j], j))
        hits = [bool(gy[j] == qy[i]) for j in ranked]
        r = sum(hits)
        if not r:
            continue
        total["recall@1"].append(hits[0])
        total[f"recall@{k}"].append(any(hits[:k]))
        total["r-precision"].append(sum(hits[:r]) / r)
        total["map@r"].append(sum(hits[j] * sum(hits[: j + 1]) / (j + 1) for j in range(r)) / r)
        votes: dict[Any, list[float]] = defaultdict(lambda: [0, 0.0])
        for j in ranked[:k]:
            votes[gy[j]][0] += 1
            votes[gy[j]][1] += similarity[j]
        total[f"knn@{k}"].append(max(votes, key=lambda label: votes[label]) == qy[i])
    means = {name: float(np.mean(values)) for name, values in total.items()}
    used = len(total["recall@1"])
    return {**means, "queries": used, "lone_queries": len(q) - used}


def random_case(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.2, size=n) - 1, classes - 1)
    return rng.standard_normal((classes, 6))[labels] + rng.standard_normal((n, 6)), labels


def test_one_query_by_hand() -> None:
    # Ranks: a b a a b, so R = 3 and the hits within it are at ranks 1 and 3.
    m = retrieval_metrics(
        angles(0), ["a"], angles(50, 10, 30, 20, 40), ["b", "a", "a", "b", "a"], ks=(1, 2), knn=2
    )
    assert m == pytest.approx(
        {
            "recall@1": 1,
            "recall@2": 1,
            "r-precision": 2 / 3,
            "map@r": (1 / 1 + 2 / 3) / 3,
            "knn@2": 1,  # one vote each, and the "a" is nearer
            "queries": 1,
            "lone_queries": 0,
        }
    )


def test_keys_of_the_defaults_even_when_the_gallery_is_smaller_than_k() -> None:
    m = retrieval_metrics(angles(0, 80), [0, 1], angles(10, 70, 75), [0, 1, 1])
    keys = "recall@1 recall@10 r-precision map@r knn@10 queries lone_queries"
    assert list(m) == keys.split()
    assert m["recall@10"] == 1
    assert m["knn@10"] == 0.5  # all three rows vote on both queries
    assert all(isinstance(value, float) for value in m.values())


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_brute_force(seed: int) -> None:
    q, qy = random_case(seed, 60, 9)
    g, gy = random_case(seed + 100, 90, 7)
    got = retrieval_metrics(q, qy, g, gy, ks=(1, 5), knn=5)
    assert got == pytest.approx(brute_force(q, qy, g, gy, False, 5), abs=1e-12)
    got = retrieval_metrics(q, qy, ks=(1, 5), knn=5)
    assert got == pytest.approx(brute_force(q, qy, q, qy, True, 5), abs=1e-12)


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_blocks_do_not_change_the_result(
    leave_one_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, y = random_case(1, 200, 12)
    x, y = np.repeat(x, 2, axis=0), np.append(y, rng.permutation(y))  # every row has a twin
    gallery = () if leave_one_out else (x[::-1], y[::-1])
    whole = retrieval_metrics(x, y, *gallery)
    for rows in (1, 7, 399):
        assert retrieval_metrics(x, y, *gallery, block_rows=rows) == whole
    monkeypatch.setattr(evaluate, "_BLOCK_ELEMENTS", 3000)
    monkeypatch.setattr(evaluate, "_GALLERY_ROWS", 37)
    assert retrieval_metrics(x, y, *gallery) == whole


def test_length_dtype_and_label_type_do_not_matter() -> None:
    x, y = random_case(2, 80, 5)
    x = x.astype(np.float32)
    m = retrieval_metrics(x, y)
    scale = np.geomspace(1e-200, 1e200, len(x))[:, None]
    assert retrieval_metrics(x * scale, [f"class {label}" for label in y]) == pytest.approx(m)
    assert retrieval_metrics(x.tolist(), y.astype(np.uint8)) == m
    assert retrieval_metrics(x, np.array([str(label) for label in y], dtype=object)) == m


def test_a_row_is_not_its_own_neighbour_but_its_duplicate_is() -> None:
    x = angles(0, 0, 90, 91)
    assert retrieval_metrics(x, [0, 1, 2, 2], ks=(1,))["recall@1"] == 1  # 0 and 1 are lone
    m = retrieval_metrics(x, [0, 1, 0, 1], ks=(1,))
    assert m["recall@1"] == 0
    assert retrieval_metrics(x, [0, 1, 0, 1], x, [0, 1, 0, 1], ks=(1,))["recall@1"] == 0.75


def test_equal_similarities_rank_the_lowest_gallery_row_first() -> None:
    twins = np.ones((2000, 3)) * np.linspace(1, 3, 2000)[:, None]
    labels = np.arange(2000)
    assert retrieval_metrics(twins[:1], [0], twins, labels)["recall@1"] == 1
    assert retrieval_metrics(twins[:1], [1], twins, labels, ks=(1, 2)) == pytest.approx(
        {
            "recall@1": 0,
            "recall@2": 1,
            "r-precision": 0,
            "map@r": 0,
            "knn@10": 0,
            "queries": 1,
            "lone_queries": 0,
        }
    )


def test_vote_ties_go_to_the_larger_similarity_then_to_the_nearest() -> None:
    def elected(gallery: np.ndarray, labels: list[str]) -> str:
        return next(
            c
            for c in set(labels)
            if retrieval_metrics(angles(0), [c], gallery, labels, knn=len(labels))[
                f"knn@{len(labels)}"
            ]
        )

    assert elected(angles(1, 60, 20, 21), ["a", "a", "b", "b"]) == "b"
    assert elected(angles(1, 60, 2, -60), ["b", "b", "a", "a"]) == "b"
    assert elected(angles(10, -10), ["z", "a"]) == "z"  # an exact tie: the first gallery row
    assert elected(angles(1, 50, 60), ["a", "b", "b"]) == "b"  # votes come before similarity


def test_lone_queries_are_counted_and_left_out() -> None:
    m = retrieval_metrics(angles(0, 0), ["a", "x"], angles(1, 2), ["a", "b"])
    assert (m["queries"], m["lone_queries"], m["recall@1"], m["map@r"]) == (1, 1, 1, 1)
    m = retrieval_metrics(angles(0, 1, 2), [0, 5, 0])
    assert (m["queries"], m["lone_queries"]) == (2, 1)


def test_zero_rows_are_ranked_with_similarity_zero() -> None:
    gallery = np.array([[0.0, 0.0], [-1.0, 0.0]])
    assert retrieval_metrics([[1.0, 0.0]], [0], gallery, [0, 1])["recall@1"] == 1
    assert not unit_rows(np.zeros((2, 3))).any()
    assert unit_rows([[3e-320, 4e-320]])[0] == pytest.approx([0.6, 0.8], rel=1e-3)


X, Y = angles(0, 10, 20), [0, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X[0], Y), {}, r"queries must be a non-empty \(N, D\) array, received shape \(2,\)"),
        ((X[:0], []), {}, "queries must be a non-empty"),
        ((X.astype(str), Y), {}, "queries must be an array of numbers, received <U32"),
        ((X + 1j, Y), {}, "queries must be an array of numbers, received complex128"),
        (([None] * len(Y), Y), {}, r"queries must be a non-empty \(N, D\) array"),
        ((X, Y[:2]), {}, r"query_labels must have one label a row: \(3,\), received \(2,\)"),
        ((X, np.array(Y)[:, None]), {}, "query_labels must have one label a row"),
        ((X, [0.0, 0.5, 1.0]), {}, "query_labels must be integers or strings, received float64"),
        ((X * [1, np.nan], Y), {}, "queries must be finite, row 0 is not"),
        ((X, Y, X * [[1], [np.inf], [1]], Y), {}, "gallery must be finite, row 1 is not"),
        ((X, Y, X[:, :1], Y), {}, "must be equally wide, received 2 and 1"),
        ((X, Y, X), {}, "gallery and gallery_labels go together, received only gallery"),
        ((X, Y, None, Y), {}, "received only gallery_labels"),
        ((X, Y, X, [0, 1]), {}, "gallery_labels must have one label a row"),
        ((X, Y, X, ["a", "b", "c"]), {}, "must be of one kind, received int64 and <U1"),
        ((X, [0, 1, 2]), {}, "no query has a gallery row of its class: all 3 are lone"),
        ((X, Y), {"ks": (1, 0)}, "ks must be a whole number of at least 1, received 0"),
        ((X, Y), {"knn": 2.0}, "knn must be a whole number of at least 1, received 2.0"),
        ((X, Y), {"block_rows": True}, "block_rows must be a whole number of at least 1"),
    ],
)
def test_bad_arguments(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(*arguments, **options)


def test_triplet_accuracy() -> None:
    a = angles(0, 0, 0, 0)
    assert triplet_accuracy(a, angles(10, 30, 20, 0), 5 * angles(20, 10, 20, 180)) == 0.5
    with pytest.raises(ValueError, match=r"one shape, received \(4, 2\), \(4, 2\) and \(1, 2\)"):
        triplet_accuracy(a, a, a[:1])
    with pytest.raises(ValueError, match="negative must be finite"):
        triplet_accuracy(a, a, a + np.inf)


def test_comparison_table() -> None:
    before = {"recall@1": 0.92, "map@r": 0.421, "knn@10": 0.9, "queries": 3080.0}
    after = {"recall@1": 0.9196, "map@r": 0.925, "triplets": 1.0, "queries": 3080.0}
    assert comparison_table(before, after).splitlines() == [
        "metric   | input vectors | trained | change",
        "-------- | ------------: | ------: | -----:",
        "recall@1 |          92.0 |    92.0 |   +0.0",
        "map@r    |          42.1 |    92.5 |  +50.4",
        "knn@10   |          90.0 |       - |      -",
        "triplets |             - |   100.0 |      -",
        "",
        "3080 queries",
    ]
    lone = comparison_table(before, {**after, "lone_queries": 2.0})
    assert lone.endswith("3080 queries, 2 left out: no gallery row of their class")


def vectors_of(name: str) -> Path:
    file = DATA / f"{name}.minilm.npz"
    if not file.exists():
        pytest.skip(f"{name}.minilm.npz is not there: shared/data is no part of the repository")
    return file


@pytest.mark.parametrize(
    ("name", "published"),
    [("banking77", (92.0, 91.5, 98.1, 42.1)), ("r8", (92.8, 95.8, 99.5, 55.9))],
)
def test_figures_of_the_frozen_encoder(name: str, published: tuple[float, ...]) -> None:
    with np.load(vectors_of(name)) as data:
        m = retrieval_metrics(*(data[key] for key in ("test_x", "test_y", "train_x", "train_y")))
    got = [100 * m[key] for key in ("recall@1", "knn@10", "recall@10", "map@r")]
    assert got == pytest.approx(published, abs=0.051)


@pytest.mark.parametrize(
    ("name", "published"), [("stsb_test", (82.03, 82.74)), ("stsb_dev", (86.71, 86.96))]
)
def test_correlations_of_the_frozen_encoder(name: str, published: tuple[float, ...]) -> None:
    with np.load(vectors_of(name)) as data:
        m = pair_correlations(data["a_x"], data["b_x"], data["score"])
    assert [100 * m["spearman"], 100 * m["pearson"]] == pytest.approx(published, abs=0.0051)


def test_correlations_of_ranks_and_of_values() -> None:
    first, second = angles(0, 0, 0, 0), angles(80, 60, 40, 0)
    perfect = pair_correlations(3 * first, second, np.cos(np.deg2rad([80, 60, 40, 0])))
    assert perfect == pytest.approx({"spearman": 1, "pearson": 1})
    turned = pair_correlations(first, second, [9, 3, 2, 1])
    assert turned["spearman"] == pytest.approx(-1)
    assert -0.95 < turned["pearson"] < -0.7


@pytest.mark.parametrize(
    ("second", "scores", "message"),
    [
        (angles(1, 2), [1, 2, 3], r"received \(3, 2\), \(2, 2\) and \(3,\)"),
        (angles(1, 2, 3), [1, 2], r"received \(3, 2\), \(3, 2\) and \(2,\)"),
        (angles(1, 2, 3), [1, 2, np.nan], "scores must be finite"),
        (angles(1, 2, 3), [2, 2, 2], "scores must be finite and of at least two values"),
        (angles(9, 9, 9), [1, 2, 3], "cosines must be finite and of at least two values"),
    ],
)
def test_what_has_no_correlation_is_refused(second: Any, scores: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pair_correlations(angles(0, 0, 0), second, scores)


def test_many_rows_are_not_copied_at_once() -> None:
    x = np.random.default_rng(6).standard_normal((30_000, 512)).astype(np.float32)
    y = np.arange(30_000) % 100
    given, chosen = ChosenRows(x, np.arange(30_000)), np.arange(50)
    tracemalloc.start()
    try:
        found = retrieval_metrics(x[:50], y[:50], given, y)
        assert retrieval_metrics(given, y, only=chosen)["queries"] == 50
        assert tracemalloc.get_traced_memory()[1] < 0.7 * x.nbytes
    finally:
        tracemalloc.stop()
    assert found == retrieval_metrics(x[:50], y[:50], x, y)


def test_rows_are_brought_to_unit_length_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(5).standard_normal((50, 3)).astype(np.float32)
    whole = unit_rows(x)
    monkeypatch.setattr("dtgcnn.evaluation.metrics._BLOCK_ROWS", 7)
    np.testing.assert_array_equal(unit_rows(x), whole)
    x[40, 1] = np.nan
    with pytest.raises(ValueError, match="rows must be finite, row 40 is not"):
        unit_rows(x)
