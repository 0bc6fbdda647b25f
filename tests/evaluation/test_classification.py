"""Figures of classes, against scikit-learn's own and those of loops."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from dtgcnn.evaluation import classification
from dtgcnn.model import Answers

metrics = pytest.importorskip("sklearn.metrics")

NAMES = [f"class {letter}" for letter in "abcdefghijklm"]


def answered(rows: int, seed: int = 0) -> tuple[Answers, list[str]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(NAMES) - 1, rows)  # of the last class there is no row
    p = rng.dirichlet(np.full(len(NAMES), 0.4), rows)
    p[np.arange(rows), truth] += 0.6
    p /= p.sum(axis=1, keepdims=True)
    scores = p.max(axis=1) + 0.1 * rng.normal(size=rows)
    best = np.argsort(-p, axis=1)[:, :2]
    sure = np.take_along_axis(p, best, axis=1).astype(np.float32)
    return Answers(NAMES, best, sure, scores), [NAMES[i] for i in truth]


def test_figures_of_classes_are_scikit_learns() -> None:
    answers, labels = answered(400)
    found, told = classification(answers, labels), answers.labels()
    report = metrics.classification_report(labels, told, output_dict=True, zero_division=0.0)
    for name in NAMES:
        peer = report.get(name, {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0})
        own = found.classes[name]
        assert [own["precision"], own["recall"], own["f1"], own["support"]] == pytest.approx(
            [peer["precision"], peer["recall"], peer["f1-score"], peer["support"]]
        )
    assert found.accuracy == pytest.approx(report["accuracy"])
    assert found.rows == 400
    assert found.unknown == 0
    pairs = Counter((a, b) for a, b in zip(labels, told, strict=True) if a != b)
    listed = {(pair["label"], pair["predicted"]): pair["rows"] for pair in found.confused}
    assert listed == dict(pairs)
    counts = [pair["rows"] for pair in found.confused]
    assert counts == sorted(counts, reverse=True)
    assert found.coverage == []


def test_what_refusing_rows_gains() -> None:
    answers, labels = answered(300)
    labels[:40] = ["another class"] * 40
    limits = {0.1: float(np.quantile(answers.scores, 0.1)), 0.5: 0.7}
    found, told = classification(answers, labels, limits), answers.labels()
    assert found.rows == 260
    assert found.unknown == 40
    for (rate, limit), row in zip(limits.items(), found.coverage, strict=True):
        kept = [i for i in range(40, 300) if answers.scores[i] >= limit]
        refused = [i for i in range(40) if answers.scores[i] < limit]
        assert row["reject"] == rate
        assert row["coverage"] == pytest.approx(len(kept) / 260)
        assert row["accuracy"] == pytest.approx(np.mean([told[i] == labels[i] for i in kept]))
        assert row["unknown_refused"] == pytest.approx(len(refused) / 40)
    assert answers.labels(0.7).count(None) == int((answers.scores < 0.7).sum())


def test_a_class_that_cannot_be_told_is_not_known() -> None:
    answers, labels = answered(300)
    told = set(NAMES[1:])
    found = classification(answers, labels, told_classes=told)
    plain = ["another" if label == NAMES[0] else label for label in labels]
    expected = classification(answers, plain)
    assert found.unknown == labels.count(NAMES[0]) == expected.unknown
    assert (found.rows, found.accuracy) == (expected.rows, expected.accuracy)
    assert found.classes == {name: expected.classes[name] for name in NAMES[1:]}


def test_the_table_is_a_page() -> None:
    answers, labels = answered(300)
    labels[0] = "another class"
    found = classification(answers, labels, {0.05: 0.5})
    lines = found.table().splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 100
    there = {name: own["f1"] for name, own in found.classes.items() if own["support"]}
    worst = sorted(there, key=lambda name: there[name])[:10]
    assert [line.partition(" | ")[0].strip() for line in lines if line[:6] == "class "][
        :10
    ] == worst
    assert "10 worst of 12 classes" in lines[2]
    assert "1 more of classes that are not known" in lines[0]
    assert "unknown refused" in found.table()
    assert len(found.to_dict()["classes"]) == 13


def test_without_a_row_of_a_known_class_there_is_nothing_to_tell() -> None:
    answers, labels = answered(5)
    with pytest.raises(ValueError, match="no row is of a class that the model knows"):
        classification(answers, ["other"] * len(labels))


def test_memory_does_not_grow_with_pairs_of_classes() -> None:
    names, rows, rng = [f"class {i}" for i in range(50_000)], 2_000, np.random.default_rng(0)
    best = rng.integers(0, len(names), (rows, 2)).astype(np.int32)
    truth = np.where(np.arange(rows) % 2, best[:, 0], best[:, 1])
    answers = Answers(names, best, np.tile(np.float32([0.7, 0.2]), (rows, 1)), np.zeros(rows))
    tracemalloc.start()
    found = classification(answers, [names[i] for i in truth])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # a number for each pair of classes takes 20 GB
    assert found.accuracy == pytest.approx(0.5, abs=0.01)
    assert sum(pair["rows"] for pair in found.confused) == rows - round(found.accuracy * rows)
    assert len(found.table().splitlines()) < 40
