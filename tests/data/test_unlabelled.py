"""Rows without a label: read from every format, given labels by spreading, trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.data import (
    DataError,
    SpreadLabels,
    examine,
    smoothed,
    spread_labels,
    with_pseudo_labels,
    write_file,
)
from dtgcnn.model.bank import choose_rows
from dtgcnn.training import train_on_all

from ..conftest import STARTS

ROWS = [("a b", "x"), ("c d", ""), ("e f", "y"), ("g h", "-1"), ("i j", "x"), ("k l", " ")]
LABELS = [0, -1, 1, -1, 0, -1]


def corpus(per_class: int = 60, labelled: int = 4, spread: float = 0.6) -> tuple[Any, Any, Any]:
    """Rows around three centres, their classes, and the labels that are given."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(3, 12))
    classes = np.arange(3 * per_class) % 3
    x = (centres[classes] + spread * rng.normal(size=(len(classes), 12))).astype(np.float32)
    given = np.where(np.arange(len(classes)) < 3 * labelled, classes, -1)
    return x, classes, given


def as_csv(path: Path) -> None:
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS))


def as_jsonl(path: Path) -> None:
    nulls = [None if not label.strip() else label for _, label in ROWS]
    records = ({"text": t, "label": n} for (t, _), n in zip(ROWS, nulls, strict=True))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def as_parquet(path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    labels = [None if not label.strip() else label for _, label in ROWS]
    parquet.write_table(pa.table({"text": [t for t, _ in ROWS], "label": labels}), path)


@pytest.mark.parametrize(
    ("suffix", "write"), [("csv", as_csv), ("jsonl", as_jsonl), ("parquet", as_parquet)]
)
def test_blank_null_and_minus_one_are_no_class(suffix: str, write: Any, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{suffix}"
    write(path)
    dataset = TripletDataset(path)
    assert dataset.label_names == ["x", "y"]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == LABELS
    assert dataset.unlabelled_items().tolist() == [1, 3, 5]
    assert dataset.training_items().tolist() == [0, 2, 4]
    assert dataset.names_of([0, 1, 2]) == ["x", "", "y"]
    assert examine(path).figures["unlabelled items"] == 3
    assert examine(path).figures["classes"]["count"] == 2


@pytest.mark.parametrize("names", [None, ["x", "y"]], ids=["numbers", "named"])
def test_arrays_have_minus_one(names: list[str] | None, tmp_path: Path) -> None:
    arrays = {"x": np.eye(6, dtype=np.float32), "y": np.array(LABELS)}
    named = {} if names is None else {"labels": np.array(names)}
    np.savez(tmp_path / "rows.npz", **arrays, **named)
    dataset = TripletDataset(tmp_path / "rows.npz")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == LABELS
    np.savez(tmp_path / "low.npz", **{**arrays, "y": np.array([0, -2, 1, 0, 0, 1])}, **named)
    if names is not None:
        with pytest.raises(DataError, match=r"'y': must be between 0 and 1 .* or -1 for none"):
            TripletDataset(tmp_path / "low.npz")


def test_pandas_own_null() -> None:
    pandas = pytest.importorskip("pandas")
    texts = [text for text, _ in ROWS]
    for kind, x, y in (("string", "x", "y"), ("Int64", 3, 7)):
        labels = pandas.array([x, None, y, None, x, None], dtype=kind)
        dataset = TripletDataset.from_table(pandas.DataFrame({"text": texts, "label": labels}))
        assert dataset.label_names == [str(x), str(y)]
        for found in (dataset, TripletDataset.from_labelled(texts, list(labels))):
            assert found.labels is not None
            assert found.labels.tolist() == LABELS


def test_from_python_none_nan_and_minus_one() -> None:
    x = np.eye(6, dtype=np.float32)
    for labels in (
        ["x", None, "y", -1, "x", float("nan")],
        ["x", "", "y", "-1", "x", " "],
        ["x", "", "y", "-1.0", "x", -1.0],  # a table of floats has the former
    ):
        texts = [text for text, _ in ROWS]
        for dataset in (
            TripletDataset.from_arrays(x, labels),
            TripletDataset.from_labelled(texts, labels),
        ):
            assert dataset.labels is not None
            assert dataset.labels.tolist() == LABELS


def test_no_label_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na b,\nc d,-1\n")
    with pytest.raises(DataError, match=r"rows\.csv: 'label': holds no label: every one is blank"):
        TripletDataset(tmp_path / "rows.csv")
    with pytest.raises(DataError, match="holds no label"):
        TripletDataset.from_arrays(np.eye(2, dtype=np.float32), [-1, -1])


def test_one_class_beside_unlabelled_rows_is_told() -> None:
    dataset = TripletDataset.from_labelled(["a", "b", "c"], ["1", "1", "-1"])
    with pytest.raises(
        DataError, match=r"one class only, of 2 items, and 1 whose label is blank, null or -1"
    ):
        dataset.training_items()
    splits = ["train", "test", "test"]
    with pytest.raises(DataError, match="none of the 1 items to train on has a label"):
        TripletDataset.from_labelled(["a", "b", "c"], [None, "x", "y"], splits).training_items()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv")
    dataset = TripletDataset(tmp_path / "rows.csv")
    for name in ("again.csv", "again.jsonl"):
        write_file(dataset, tmp_path / name)
        again = TripletDataset(tmp_path / name)
        assert again.names_of(range(6)) == ["x", "", "y", "", "x", ""]


def test_more_rows_join_as_unlabelled_ones() -> None:
    x, classes, _ = corpus(4)
    dataset = TripletDataset.from_arrays(x, classes, ["train", "test"] * 6)
    both = dataset.with_unlabelled(TripletDataset.from_arrays(x + 1, classes))
    assert both.labels is not None
    assert both.labels.tolist() == [*classes, *[-1] * 12]
    assert both.unlabelled_items().tolist() == list(range(12, 24))
    np.testing.assert_array_equal(both.features, np.concatenate([x, x + 1]))
    texts = TripletDataset.from_labelled(["a", "b"], ["x", "y"])
    with pytest.raises(DataError, match="must both hold texts, or both vectors"):
        dataset.with_unlabelled(texts)
    with pytest.raises(DataError, match="must have equal widths, received 12 and 3"):
        dataset.with_unlabelled(TripletDataset.from_arrays(np.eye(3, dtype=np.float32)))


def graph(x: Any) -> tuple[Any, Any, Any]:
    """Rows at unit length, their own shares and the links' shares, (N, 1) and (N, N)."""
    rows = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    w = np.zeros_like(cosines)
    for i, line in enumerate(cosines):
        for j in np.argsort(-line)[:10]:
            w[i, j] = max(line[j], 0.0) ** 8
    w = np.maximum(w, w.T)
    sums = w.sum(axis=1, keepdims=True)
    return rows, 1.0 / (1.0 + sums), w / sums


def brute_force(x: Any, labels: Any, kept: float) -> Any:
    """The equations of ``spread_labels`` with dense matrices, for rows that are all near."""
    rows, a, p = graph(x)
    z = rows
    for _ in range(2):
        z = a * rows + (1.0 - a) * (p @ z)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    given = labels >= 0
    model = LogisticRegression(C=10.0, max_iter=1000).fit(z[given], labels[given])
    q = model.predict_proba(z)
    f = q.copy()
    f[given] = np.eye(q.shape[1])[labels[given]]
    for _ in range(30):
        f = a * q + (1.0 - a) * (p @ f)
        f[given] = np.eye(q.shape[1])[labels[given]]
    out = labels.copy()
    for c in range(q.shape[1]):
        own = [i for i in np.flatnonzero(~given) if f[i].argmax() == c]
        margin = [np.sort(f[i])[-1] - np.sort(f[i])[-2] for i in own]
        for i in np.argsort(-np.array(margin))[: int(np.ceil(kept * len(own)))]:
            out[own[i]] = c
    return out


@pytest.mark.parametrize("kept", [0.5, 0.85, 1.0])
def test_labels_spread_by_the_equations(kept: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtgcnn.data.label_spreading.FAR", 0.0)
    x, classes, given = corpus()
    found = spread_labels(x, given, kept=kept)
    far = found.far
    assert far + found.unsure + (found.labels >= 0).sum() == len(x)
    near = (found.labels >= 0) | (far == 0)
    if far == 0:
        np.testing.assert_array_equal(found.labels, brute_force(x, given, kept))
    taken = (given < 0) & (found.labels >= 0)
    assert near.any()
    assert (found.labels[taken] == classes[taken]).mean() > 0.95
    np.testing.assert_array_equal(found.labels[given >= 0], given[given >= 0])
    np.testing.assert_array_equal(spread_labels(x, given, kept=kept).labels, found.labels)


def test_values_are_smoothed_over_the_graph_of_rows() -> None:
    x, _, _ = corpus(20)
    values = np.random.default_rng(6).normal(size=(len(x), 3)).astype(np.float32)
    _, a, p = graph(x)
    z = a * values + (1.0 - a) * (p @ values)
    z = a * values + (1.0 - a) * (p @ z)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(smoothed(x, values), z, atol=1e-12)


def test_blocks_are_smaller_where_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, given = corpus()
    whole = spread_labels(x, given)
    monkeypatch.setattr("dtgcnn.data.label_spreading._COSINES", 7 * len(x) + 3)
    np.testing.assert_array_equal(spread_labels(x, given).labels, whole.labels)


def test_far_rows_take_no_label() -> None:
    x, _, given = corpus()
    rng = np.random.default_rng(1)
    others = np.zeros((40, 12), np.float32)
    others[:, :] = -x.mean(axis=0) + 0.05 * rng.normal(size=(40, 12))
    found = spread_labels(np.concatenate([x, others]), np.concatenate([given, np.full(40, -1)]))
    assert (found.labels[len(x) :] == -1).all()
    assert found.far >= 40


def test_labels_of_one_class_do_not_spread() -> None:
    with pytest.raises(ValueError, match="of two classes at least, received 1"):
        spread_labels(np.eye(3, dtype=np.float32), np.array([0, 0, -1]))


def labelled_and_rest(labelled: int = 10) -> tuple[TripletDataset, Any, Any]:
    x, classes, given = corpus(120, labelled, spread=1.0)
    return TripletDataset.from_arrays(x, given), x, classes


def test_unlabelled_rows_are_used_where_they_help() -> None:
    dataset, x, _ = labelled_and_rest()
    loader, val = dataset.create_dataloaders(16, 0.7)
    more, found = with_pseudo_labels(loader, x, val)
    assert found.without is not None
    assert found.with_them is not None
    assert found.used == (found.with_them > found.without - 1.5 / len([*loader.items, *val.items]))
    assert more is loader or set(more.items) > set(loader.items)
    more, found = with_pseudo_labels(loader, x, always=True)
    assert found.used
    assert "of 330 unlabelled rows take a label" in str(found)
    assert set(more.items) == set(loader.items) | set(more.pseudo)
    assert not set(more.nodes) & set(more.items)
    assert not set(val.items) & {*more.items, *more.nodes}
    assert found.taken == len(more.pseudo)
    assert found.taken + found.far + found.unsure + found.unreached == 330


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("fewer", [2, 1, 0, -1])
def test_labelled_rows_decide(fewer: int, near: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row fewer may be chance, but not where most of the others are of other topics."""
    dataset, x, _ = labelled_and_rest()
    loader, val = dataset.create_dataloaders(16, 0.7)
    told: list[Any] = []

    def shares(vectors: Any, given: Any, rng: Any) -> tuple[float, float]:
        told.append(vectors[: len(given)])
        return 0.9, 0.9 - fewer / len(given)

    def spread(x: Any, labels: Any, plain: Any) -> SpreadLabels:
        assert plain is None
        return replace(spread_labels(x, labels), far=0 if near else 166)

    monkeypatch.setattr("dtgcnn.data.pseudo_labels._shares", shares)
    monkeypatch.setattr("dtgcnn.data.pseudo_labels.spread_labels", spread)
    more, found = with_pseudo_labels(loader, x, val, standardize=False)
    assert found.used == (fewer <= (1 if near else -1))
    assert (more is loader) == (not found.used)
    np.testing.assert_array_equal(told[0], x[[*loader.items, *val.items]])
    assert ("they are used" in str(found)) == found.used
    assert ("most are near labels" in str(found)) == (found.used and fewer >= 0)
    assert with_pseudo_labels(loader, x, val, always=True)[1].used
    assert len(told) == 1


def test_equal_rows_and_rows_beyond_the_bank_are_counted() -> None:
    dataset, x, _ = labelled_and_rest()
    loader, val = dataset.create_dataloaders(16, 0.7)
    x = x.copy()
    x[100] = x[101]
    x[102] = x[val.items[0]]
    more, found = with_pseudo_labels(loader, x, always=True, most=len(loader.items) + 50)
    assert (found.repeated, found.beyond) == (2, 330 - 2 - 50)
    assert len(more.pseudo) + len(more.nodes) == 50
    assert 102 not in {*more.pseudo, *more.nodes}


def test_without_unlabelled_rows_there_is_nothing_to_use() -> None:
    x, classes, _ = corpus(10)
    loader, val = TripletDataset.from_arrays(x, classes).create_dataloaders(8, 0.8)
    with pytest.raises(DataError, match="holds no unlabelled row"):
        with_pseudo_labels(loader, x, val)


def test_a_bank_takes_labelled_rows_first() -> None:
    labels = [-1, 0, -1, 1, -1, 0, -1, 1]
    assert choose_rows(labels, 8, 0) == list(range(8))
    for seed in range(5):
        chosen = choose_rows(labels, 6, seed)
        assert {1, 3, 5, 7} < set(chosen)
        assert len(chosen) == 6
    assert sorted(labels[row] for row in choose_rows(labels, 2, 0)) == [0, 1]


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_they_are_nodes_of_the_bank_and_never_vote(backend: str) -> None:
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    dataset, x, classes = labelled_and_rest()
    loader, val = dataset.create_dataloaders(16, 0.7)
    more, found = with_pseudo_labels(loader, x, always=True)
    settings = {**STARTS["closed_form"], "input_dim": 12}
    model = DTGCNN(backend=backend, **settings)
    trainer = Trainer(model, train_loader=more, val_loader=val, epochs=2, progress=False)
    trainer.train()
    bank = model.trained_bank()
    assert bank.labels is not None
    assert len(bank) == len(loader.items) + 330
    assert sum(label >= 0 for label in bank.labels) == len(loader.items)
    held = np.setdiff1d(np.arange(len(x)), loader.items)
    assert model.classes_ is not None
    right = np.array(model.predict(x[held])) == np.array(model.classes_)[classes[held]]
    assert right.mean() > 0.8
    final = train_on_all(trainer, dataset)
    assert final.train_loader is not None
    assert len(final.train_loader.pseudo) > 0.5 * found.taken
    assert not set(val.items) & set(final.train_loader.pseudo)


def test_the_command_line_takes_a_second_file(tmp_path: Path) -> None:
    x, classes, _ = corpus(120, spread=1.0)
    few, rest = np.arange(30), np.arange(30, 360)
    np.savez(tmp_path / "few.npz", x=x[few], y=classes[few])
    np.save(tmp_path / "rest.npy", x[rest])
    options = ["--output", str(tmp_path / "m"), "--no-map", "--epochs", "2"]
    command = ["train", str(tmp_path / "few.npz"), *options]
    run = CliRunner().invoke(main, [*command, "--unlabelled", str(tmp_path / "rest.npy")])
    assert run.exit_code == 0, run.output
    assert "of 330 unlabelled rows take a label" in run.output
    assert "of labelled rows, held out" in run.output
    assert "training rows" in run.output  # what is measured is looked up among labelled rows
    assert " nan " not in run.output


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([-1, 0, 1, 1, 0, -1], True),
        (["-1", "1", "1", "1", "-1", "1"], True),
        (["-1.0", "0.0", "1.0", "1.0", "0.0", ""], True),
        ([-1.0, 0.0, 1.0, 1.0, 0.0, float("nan")], True),
        ([None, 0, 1, 1, 0, ""], False),
        ([-1, 0, 1, 2, 0, -1], False),
        (["-1", "yes", "no", "no", "yes", "no"], False),
    ],
)
def test_minus_one_beside_zero_and_one_is_told(
    labels: list[Any], told: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [text for text, _ in ROWS]
    TripletDataset.from_labelled(texts, labels)
    TripletDataset.from_arrays(np.eye(6, dtype=np.float32), labels)
    lines = [record.message for record in caplog.records]
    count = sum(str(label).startswith("-1") for label in labels)
    found = [line for line in lines if f": {count} rows have the label -1" in line]
    assert len(found) == (2 if told else 0)
