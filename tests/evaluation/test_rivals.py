"""Classifiers of the input vectors beside the embedding, against scikit-learn itself."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Ensemble, TripletDataset
from dtgcnn.evaluation import compare, measure_rivals, retrieval_metrics, unit_rows
from dtgcnn.evaluation import rivals as module

from ..conftest import blobs

Rows = np.ndarray[Any, Any]


def sides() -> tuple[Rows, Rows, Rows, Rows, Rows, Rows]:
    """Queries, their embedding and classes; the same of a gallery."""
    x, y = blobs()
    z = x[:, :6]  # the columns that tell the classes
    return x[::2], z[::2], y[::2], x[1::2], z[1::2], y[1::2]


def measure(**kw: Any) -> Any:
    q, qz, qy, g, gz, gy = sides()
    before, after = retrieval_metrics(q, qy, g, gy), retrieval_metrics(qz, qy, gz, gy)
    return measure_rivals((q, qz), qy, (g, gz), gy, (before, after), **kw)


def test_each_accuracy_is_scikit_learns() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors", reason="scikit-learn is the oracle")
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    q, qz, qy, g, gz, gy = sides()

    def by_vote_then_similarity(distance: Rows) -> Rows:  # as the table's knn@10 breaks ties
        return 1 + 1e-6 * (1 - distance)

    vote: dict[str, Any] = {"metric": "cosine", "weights": by_vote_then_similarity}

    def score(classifier: Any, x: Rows, queries: Rows) -> float:
        return float(classifier.fit(unit_rows(x), gy).score(unit_rows(queries), qy))

    found = measure()
    assert (found.queries, found.gallery, found.fitted, found.left_out) == (40, 40, 40, {})
    expected = {
        "10-NN": score(neighbors.KNeighborsClassifier(10, **vote), g, q),
        "nearest centroid": score(neighbors.NearestCentroid(), g, q),
        "logistic regression": score(LogisticRegression(C=10, max_iter=1000), g, q),
        "linear discriminant analysis": score(
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), g, q
        ),
    }
    assert found.accuracy["input"] == pytest.approx(expected)
    assert found.accuracy["trained"] == pytest.approx(
        {
            "10-NN": score(neighbors.KNeighborsClassifier(10, **vote), gz, qz),
            "nearest centroid": score(neighbors.NearestCentroid(), gz, qz),
        }
    )
    assert len(set(expected.values())) > 1
    assert json.loads(json.dumps(found.to_dict()))["accuracy"] == found.accuracy


def test_a_large_gallery_is_cut_and_says_so() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn does the fitting")
    found = measure(max_rows=16)
    assert (found.gallery, found.fitted) == (40, 16)
    assert "all but 10-NN fitted on 16 of the 40 rows, drawn in proportion" in found.table()
    told = measure(max_rows=16, predicted=0.5)
    assert "all but predict and 10-NN fitted on 16 of the 40 rows" in told.table()
    assert found.accuracy == measure(max_rows=16).accuracy
    assert found.accuracy["input"]["10-NN"] == measure().accuracy["input"]["10-NN"]
    assert "fitted on" not in measure().table()


def test_queries_of_classes_without_gallery_rows_are_left_out() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn does the fitting")
    q, qz, qy, g, gz, gy = sides()
    some = gy != 3
    data = (q, qz), qy, (g[some], gz[some]), gy[some]
    figures = [retrieval_metrics(a, qy, b[some], gy[some]) for a, b in ((q, g), (qz, gz))]
    found = measure_rivals(*data, (figures[0], figures[1]))
    assert found.queries == figures[0]["queries"] == 30
    known = qy != 3
    without = measure_rivals((q[known], qz[known]), qy[known], *data[2:], (figures[0], figures[1]))
    assert found.accuracy == without.accuracy


def test_classes_of_one_row_and_failures_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn does the fitting")
    x, y = blobs()
    few = np.array([0, 20, 40, 60])
    figures = retrieval_metrics(x, y, x[few], y[few])
    found = measure_rivals((x, x), y, (x[few], x[few]), y[few], (figures, figures))
    failed = "linear discriminant analysis on the input vectors"
    assert list(found.left_out) == [failed]
    assert f"without {failed}: The number of samples must be more than" in found.table()
    assert set(found.accuracy["input"]) == {"10-NN", "nearest centroid", "logistic regression"}
    one = np.array([*range(40), 40])  # of the third class a single row
    found = measure_rivals((x, x), y, (x[one], x[one]), y[one], (figures, figures))
    assert found.left_out == {}
    monkeypatch.setattr(module, "_MOST_WORK", 1000)
    found = measure()
    assert "logistic regression on the input vectors: it takes long on 40 rows" in found.table()
    assert "linear discriminant analysis on the input vectors: it takes long" in found.table()
    assert set(found.accuracy["input"]) == {"10-NN", "nearest centroid"}


def test_without_scikit_learn_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(n for n in sys.modules if n.startswith("sklearn.")), "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    found = measure()
    assert [set(view) for view in found.accuracy.values()] == [{"10-NN"}, {"10-NN"}]
    said = [line for line in found.table().splitlines() if "scikit-learn" in line]
    assert said == [
        "without nearest centroid, logistic regression and linear discriminant analysis: "
        "scikit-learn is not installed: pip install 'dtgcnn[text]'"
    ]
    assert "the one rival measured, 10-NN on the input vectors" in found.verdict


@pytest.mark.parametrize(
    ("trained", "rival", "ranks", "head", "level"),
    [
        (0.90, 0.80, (0.3, 0.6), "Training paid:", 0),
        (0.90, 0.80, (0.50, 0.51), "Training paid for telling classes, not for ranking:", 1),
        (0.90, 0.80, (0.6, 0.3), "Training paid for telling classes and cost the ranking:", 0),
        (0.82, 0.80, (0.3, 0.6), "Training paid for ranking, not for telling classes:", 1),
        (0.80, 0.82, (0.5, 0.5), "Training changed little:", 2),
        (0.80, 0.82, (0.6, 0.3), "Training did not pay:", 1),
        (
            0.80,
            0.90,
            (0.3, 0.6),
            "Training did not pay for telling classes, for ranking it did:",
            0,
        ),
        (0.80, 0.90, (0.5, 0.5), "Training did not pay:", 1),
        (0.80, 0.90, (0.6, 0.3), "Training did not pay:", 0),
        (1.00, 1.00, (1.0, 1.0), "Training changed little:", 2),
    ],
)
def test_the_verdict_is_what_the_figures_say(
    trained: float, rival: float, ranks: tuple[float, float], head: str, level: int
) -> None:
    accuracy = {
        "input": {"10-NN": 0.7, "logistic regression": rival},
        "trained": {"10-NN": trained, "nearest centroid": 1.0},
    }
    before, after = (
        {"recall@10": r, "map@r": m, "queries": 168.0} for r, m in zip((0.9, 0.8), ranks)
    )
    said = module._verdict(accuracy, before, after, 168)  # a standard error is about 3 points
    assert said.startswith(head)
    assert f"10-NN on the embedding finds {100 * trained:.1f}% of the 168 rows, the best" in said
    assert f"rival, logistic regression on the input vectors, {100 * rival:.1f}%" in said
    assert said.count("level within one standard error") == level
    fell = "recall@10, map@r" if ranks[1] < ranks[0] else "recall@10"
    assert said.endswith(f"Below the input vectors: {fell}.")
    told = {**accuracy["trained"], "10-NN": 0.1, "predict": trained}
    by_model = module._verdict({**accuracy, "trained": told}, before, after, 168)
    assert by_model == said.replace("10-NN on the embedding finds", "predict finds")


def test_rivals_are_measured_where_there_is_a_gallery(
    trained: DTGCNN, labelled: TripletDataset
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn does the fitting")
    loaders = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    beside = compare(trained, labelled, *loaders)
    assert beside is not None
    assert beside.rivals is not None
    assert beside.rivals.queries == beside.trained["queries"]
    assert beside.rivals.accuracy["trained"]["10-NN"] == beside.trained["knn@10"]
    for model in (trained, Ensemble([trained, trained])):
        measured = compare(model, labelled, *loaders)
        told = model.predict(labelled.inputs_of(beside.items))
        right = np.array(told) == np.array(labelled.names_of(beside.items))
        assert measured is not None
        assert measured.rivals is not None
        assert measured.rivals.accuracy["trained"]["predict"] == right.mean()
    assert {"rivals", "verdict"} < set(beside.to_dict())
    assert beside.rivals_table().startswith("classes by")
    for alone in (compare(trained, labelled), compare(trained, labelled, *loaders, rivals=False)):
        assert alone is not None
        assert alone.rivals is None
        assert alone.rivals_table() == ""
        assert not {"rivals", "verdict"} & set(alone.to_dict())
    x, y = labelled.features, labelled.labels
    assert x is not None
    assert y is not None
    others = TripletDataset.from_arrays(x, y + 5)
    measured = compare(trained, others, *others.create_dataloaders(batch_size=24, train_split=0.8))
    assert measured is not None
    assert measured.rivals is not None
    assert set(measured.rivals.accuracy["trained"]) == {"10-NN", "nearest centroid"}
