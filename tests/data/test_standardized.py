"""Columns of vectors that are standardised, and when."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from dtgcnn import TripletDataset
from dtgcnn.data import closed_form as closed
from dtgcnn.data import fit_closed_form, standardized_columns, with_pseudo_labels
from dtgcnn.data.linear_maps import LARGEST, Columns, UnitRows, unit


def wine() -> tuple[Any, Any]:
    """Thirteen columns in units from parts of one to a thousand, and three classes."""
    data = load_wine()
    return data.data.astype(np.float32), data.target


def by_scikit_learn(x: Any, asked: Any) -> Any:
    scaled = StandardScaler().fit(x.astype(np.float64)).transform(asked.astype(np.float64))
    return np.hstack([scaled, np.full((len(asked), 1), x.shape[1] ** 0.5)])


def test_columns_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = wine()
    wanted = by_scikit_learn(x[:100], x)
    np.testing.assert_allclose(Columns.of(x[:100])(x), wanted, atol=2e-5)
    monkeypatch.setattr("dtgcnn.data.linear_maps._BLOCK", 7)
    np.testing.assert_allclose(Columns.of(x[:100])(x), wanted, atol=2e-5)
    rows = UnitRows(x, np.array([5, 3]), Columns.of(x[:100]))
    assert rows.shape == (2, 14)
    np.testing.assert_allclose(rows[:], unit(wanted[[5, 3]]), atol=1e-6)


def test_a_far_offset_keeps_what_float32_holds() -> None:
    x = (1e4 + np.random.default_rng(0).normal(size=(5000, 3))).astype(np.float32)
    np.testing.assert_allclose(Columns.of(x)(x), by_scikit_learn(x, x), atol=2e-3)
    assert abs(Columns.of(x)(x)[:, :3].mean()) < 1e-3


def test_a_column_that_does_not_vary_is_nothing_and_a_number_far_off_is_cut() -> None:
    x = np.array([[5.0, 0.1, 1.0], [5.0, 0.1, 2.0], [5.0, 0.1, 1.0 + 1e-30]], np.float32)
    columns = Columns.of(x)
    found = columns(np.array([[7.0, -3e38, 3e38], [0.0, 0.0, -3e38]], np.float32))
    assert np.isfinite(found).all()
    assert not found[:, :2].any()
    tiny = Columns.of(np.array([[0.0], [1e-38]], np.float32))
    far = tiny(np.array([[3e38], [-3e38]], np.float32))[:, 0]
    np.testing.assert_allclose(far, [LARGEST, -LARGEST], rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-31, 1e-19, 1e20, 1e34])
def test_columns_of_tiny_and_of_huge_numbers(factor: float) -> None:
    x, y = wine()
    x[:, ::2] *= np.float32(factor)
    np.testing.assert_allclose(Columns.of(x)(x), by_scikit_learn(x, x), rtol=1e-4, atol=2e-5)
    assert told(x, y)


def test_columns_that_reach_the_ends_of_float32() -> None:
    x = np.array([[3e38, -3e38], [3e38, 3e38], [-3e38, -3e38], [3e38, 3e38]], np.float32)
    np.testing.assert_allclose(Columns.of(x)(x)[:, :2], 10.0 * np.sign(x), rtol=1e-5)


@pytest.mark.parametrize("standardize", [True, "auto"])
def test_a_start_is_that_of_standardised_rows(
    standardize: Any, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = wine()
    caplog.set_level(logging.INFO, "dtgcnn")
    found = fit_closed_form(x, y, 8, standardize=standardize)
    scaled = by_scikit_learn(x, x).astype(np.float32)
    wanted = fit_closed_form(scaled, y, 8)
    own = StandardScaler().fit(x.astype(np.float64))
    np.testing.assert_allclose(found.arrays["column_mean"], own.mean_, rtol=1e-6)
    np.testing.assert_allclose(found.arrays["column_scale"], 1.0 / own.scale_, rtol=1e-6)
    for name, array in wanted.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, atol=2e-3, err_msg=name)
    assert found.started is not None
    assert wanted.started is not None
    np.testing.assert_allclose(found.started[0], wanted.started[0], atol=1e-4)
    assert (found.ridge, found.power) == (wanted.ridge, wanted.power)
    said = "columns are standardised: of training rows, held out in turn, 9"
    assert [r.getMessage()[: len(said)] for r in caplog.records] == [said] * (standardize == "auto")
    again = fit_closed_form(
        *(x, y, 8),
        standardize=(found.arrays["column_mean"], found.arrays["column_scale"]),
        code_norm=float(found.arrays["code_norm"]),
    )
    for name, array in found.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def told(x: Any, y: Any, **settings: Any) -> bool:
    """Whether columns are standardised, by both who ask."""
    found = "column_mean" in fit_closed_form(x, y, 8, standardize="auto", **settings).arrays
    assert found == (standardized_columns(x, y) is not None)
    return found


def test_held_out_rows_decide(caplog: pytest.LogCaptureFixture) -> None:
    x, y = wine()
    assert told(x, y)
    assert told(x[:, ::-1].copy(), 2 - y)
    caplog.set_level(logging.INFO, "dtgcnn")
    caplog.clear()
    # What tells the classes has a small deviation once its column is as loud as the others.
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.normal(size=(len(x), 60))
    signal = np.eye(3)[y] + 0.1 * rng.normal(size=(len(x), 3))
    assert not told(np.hstack([signal, noise]).astype(np.float32), y)
    assert "columns are left as they are: " in caplog.text


def test_rows_of_one_length_and_rows_without_usable_classes_are_left_as_they_are() -> None:
    x, y = wine()
    assert not told(unit(x.astype(np.float64)).astype(np.float32), y)
    with_zeros = unit(x.astype(np.float64)).astype(np.float32)
    with_zeros[3] = 0.0
    assert not told(with_zeros, y)
    for rounded in (np.rint(with_zeros * 2**10) / 2**10, with_zeros.astype(np.float16)):
        assert not told(rounded.astype(np.float32), y)
    assert not told(7.0 * with_zeros, y)
    stretched = with_zeros.copy()
    stretched[5] *= 1.05
    assert told(stretched, y)
    assert not told(x, np.arange(len(x)) // 2)
    arrays = fit_closed_form(x, y, 8, standardize="auto", code_weight=0.0).arrays
    assert "column_mean" not in arrays
    alone = fit_closed_form(x, np.arange(len(x)) // 2, 8, standardize=True).arrays
    assert alone["whitening"].shape == (14, 14)


def test_few_rows_must_gain_four(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = wine()
    few = np.arange(0, len(x), 4)
    rows = [UnitRows(x, few), UnitRows(x, few, Columns.of(x))]
    right = [
        int(closed._calibrated(own, y[few], np.random.Generator(np.random.PCG64(0))).right.sum())
        for own in rows
    ]
    gained = right[1] - right[0]
    assert gained > 1
    for least in (gained, gained + 1):
        monkeypatch.setattr(closed, "LEAST_ROWS_GAINED", least)
        assert (closed._tried(rows, y[few], 0)[0][0] is rows[1]) == (least == gained)
    caplog.set_level(logging.INFO, "dtgcnn")
    assert "column_mean" not in fit_closed_form(x[few], y[few], 8, standardize="auto").arrays
    assert caplog.messages[-1].startswith("columns are left as they are: ")
    assert caplog.messages[-1].endswith("% otherwise, too few more")


def test_labels_spread_over_standardised_rows() -> None:
    x, y = wine()
    known = np.where(np.random.default_rng(0).random(len(y)) < 0.25, y, -1)
    dataset = TripletDataset.from_arrays(x, known)
    loader, _ = dataset.create_dataloaders(16, 1.0)
    right = {}
    for standardize in (False, "auto"):
        more, found = with_pseudo_labels(loader, x, always=True, standardize=standardize)
        hidden = more.items[np.isin(more.items, dataset.unlabelled_items())]
        labels = dict(zip(more.items.tolist(), more.labels.tolist(), strict=True))
        names = dataset.label_names or []
        right[standardize] = np.mean([names[labels[i]] == str(y[i]) for i in hidden.tolist()])
        assert found.taken == len(hidden)
    assert right["auto"] > 0.93 > 0.85 > right[False]
    _, found = with_pseudo_labels(loader, x, standardize="auto")
    assert found.without is not None
    assert found.without > 0.9, "what is compared are standardised rows too"


def test_what_is_asked_for_is_done() -> None:
    x, y = wine()
    assert standardized_columns(x, y, False) is None
    assert standardized_columns(unit(x).astype(np.float32), y, True) is not None
