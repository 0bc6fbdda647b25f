"""What is measured of many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.evaluation import comparison, retrieval_metrics, stratified_sample

RNG = np.random.default_rng(4)
LABELS = RNG.integers(0, 5, 120)
X = (RNG.standard_normal((5, 6))[LABELS] + RNG.standard_normal((120, 6))).astype(np.float32)


class Same:
    """A model whose embeddings are the vectors that go in."""

    def __init__(self) -> None:
        self.encoded = 0

    def vectors(self, x: Any) -> Any:
        return x

    input_vectors = vectors

    def get_embedding_dimension(self) -> int:
        return X.shape[1]

    def embed(self, x: Any, advance: Any = None) -> Any:
        self.encoded += len(x)
        return x

    def bank_rows_of(self, host_x: Any) -> list[int]:
        return [-1] * len(host_x)


def test_only_some_queries_are_measured() -> None:
    some = np.array([3, 40, 77])
    one_by_one = [
        retrieval_metrics(X[[i]], LABELS[[i]], np.delete(X, i, 0), np.delete(LABELS, i))
        for i in some
    ]
    found = retrieval_metrics(X, LABELS, only=some)
    for name in ("recall@1", "map@r", "r-precision", "knn@10"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in one_by_one]))
    assert (found["queries"], found["lone_queries"]) == (3, 0)
    with pytest.raises(ValueError, match="all 1 are lone"):
        retrieval_metrics(X[:2], [0, 1], only=np.array([1]))


def test_a_ranking_tells_how_far_it_is() -> None:
    told: list[int] = []
    some = np.arange(0, 120, 2)
    retrieval_metrics(X, LABELS, only=some, block_rows=25, advance=told.append)
    assert told == [25, 25, 10]


def test_only_rows_that_are_measured_are_encoded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes standard error for a terminal
    monkeypatch.setattr(comparison, "MOST_QUERIES", 20)
    splits = ["test"] * 60 + ["train"] * 40 + ["validation"] * 20
    model = Same()
    dataset = TripletDataset.from_arrays(X, LABELS, splits)
    found = comparison.compare(model, dataset, progress=True)  # type: ignore[arg-type]
    assert found is not None
    assert found.protocol.startswith("20, of each class in proportion, of 60 test rows")
    assert model.encoded == 20 + 40
    shown = capsys.readouterr().err
    assert "looking up" in shown
    assert "40/40" in shown  # 20 in each view
    assert "fitting rivals" in shown


@pytest.mark.parametrize("splits", [None, ["test"] * 70 + ["train"] * 50])
def test_of_many_rows_some_of_each_class_are_looked_up(
    splits: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = TripletDataset.from_arrays(X, LABELS, splits)
    whole = comparison.compare(Same(), dataset, rivals=False)  # type: ignore[arg-type]
    monkeypatch.setattr(comparison, "MOST_QUERIES", 20)
    some = comparison.compare(Same(), dataset, rivals=False)  # type: ignore[arg-type]
    assert whole is not None
    assert some is not None
    assert "proportion" not in whole.protocol
    assert some.protocol == f"20, of each class in proportion, of {whole.protocol}"
    queries = LABELS if splits is None else LABELS[:70]
    drawn = stratified_sample(queries, 20)
    gallery = (None, None) if splits is None else (X[70:], LABELS[70:])
    wanted = (
        retrieval_metrics(X, LABELS, only=drawn)
        if splits is None
        else retrieval_metrics(X[drawn], LABELS[drawn], *gallery)
    )
    assert some.trained == some.input == wanted
    assert len(some.labels) == (120 if splits is None else 20)


@pytest.mark.parametrize(("pairs", "least", "most"), [(120 * 30, 1, 30), (120 * 2, 10, 10)])
def test_among_many_rows_fewer_are_looked_up(
    pairs: int, least: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_PAIRS", pairs)
    monkeypatch.setattr(comparison, "LEAST_QUERIES", least)
    found = comparison.compare(Same(), TripletDataset.from_arrays(X, LABELS), rivals=False)  # type: ignore[arg-type]
    assert found is not None
    assert found.protocol.startswith(f"{most}, of each class in proportion, of 120 rows")


@pytest.mark.parametrize(
    ("train", "most", "protocol"),
    [
        (0, 3, "3, of classes that are there to be found, of 63 rows, each"),
        (0, 2, "2, of each class in proportion, of 3, of classes that are there to be found, of"),
        (1, 2, "2, of classes that are there to be found, of 62 test rows"),
        (1, 1, "1, of each class in proportion, of 2, of classes that are there to be found, of"),
    ],
)
def test_those_are_drawn_that_can_be_found(
    train: int, most: int, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_QUERIES", most)
    labels = [f"{i}" for i in range(60)] + ["many"] * 3
    splits = ["test"] * 62 + ["train"] if train else None
    data = TripletDataset.from_arrays(X[:63], labels, splits=splits)
    found = comparison.compare(Same(), data, rivals=False)  # type: ignore[arg-type]
    assert found is not None
    assert found.protocol.startswith(protocol)
    assert (found.trained["queries"], found.trained["lone_queries"]) == (most, 0)


def test_a_draw_is_as_large_for_any_number_of_classes() -> None:
    labels = np.arange(200_000) // 2
    drawn = stratified_sample(labels, 100_000)
    assert np.array_equal(labels[drawn], np.arange(100_000))


@pytest.mark.parametrize("backend", ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
def test_rows_of_the_bank_are_embedded_together(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = DTGCNN(backend=backend, input_dim=6, hidden_dims=(8, 8), output_dim=7)
    model.fit_start(model.vectors(X[:80]), LABELS[:80])
    model.build_bank(model.vectors(X[:80]), LABELS[:80].tolist())
    given = model.vectors(X)[::-1].copy()
    expected, asked, embed = model.encode(given), [], model.embed
    monkeypatch.setattr(model, "embed", lambda x, **more: asked.append(len(x)) or embed(x))
    places = np.array(model.bank_rows_of(given))
    found = comparison._embedded(model, given, places, False)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    few = given[:59]  # 40 others, and less than a fourth of the bank
    assert np.array_equal(comparison._embedded(model, few, places[:59], False), expected[:59])
    assert asked == [40, 59]
