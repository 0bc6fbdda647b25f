"""The closed-form start: whitening, class codes and projection, against other ways to get them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy

from dtgcnn.data import closed_form, fit_closed_form, kernel_ridge, linear_maps

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.kernel_ridge import KernelRidge  # noqa: E402
from sklearn.utils.extmath import randomized_svd  # noqa: E402

BETA, RIDGES = 1.5, (0.1, 0.3, 1.0, 3.0)
WIDTH, CLASSES, OUTPUT = 6, 3, 7


def data(rows: int = 60, width: int = WIDTH, classes: int = CLASSES, seed: int = 0) -> Any:
    """Classes that overlap, of unequal size, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.permutation(np.arange(rows) % (classes + 1)) % classes)
    centres = rng.normal(size=(classes, width))
    x = centres[labels] + rng.normal(size=(rows, width)) * np.linspace(0.3, 2.0, width)
    return x.astype(np.float32), labels


def unit(x: Any) -> Any:
    return np.array([row / (np.sqrt((row**2).sum()) or 1.0) for row in x])


def scatter(rows: Any, labels: Any) -> Any:
    """Σ_w by its definition, a row and two columns at a time."""
    total = np.zeros((rows.shape[1],) * 2)
    for c in set(labels.tolist()):
        own = rows[labels == c]
        mean = sum(own) / len(own)
        for row in own:
            for i in range(len(row)):
                for j in range(len(row)):
                    total[i, j] += (row[i] - mean[i]) * (row[j] - mean[j])
    return total / len(rows)


def by_hand(x: Any, labels: Any) -> Any:
    """The whitened rows, through a Cholesky root in place of the symmetric one: their products."""
    rows = unit(x.astype(np.float64))
    spread = scatter(rows, labels)
    shrunk = 0.4 * spread + 0.6 * np.trace(spread) / len(spread) * np.eye(len(spread))
    return unit((rows - rows.mean(0)) @ np.linalg.cholesky(np.linalg.inv(shrunk)))


def relevance(rows: Any, labels: Any, power: float) -> Any:
    """``(B / b₁ + f I)^p`` of the scatter of class means, a class at a time."""
    between = np.zeros((rows.shape[1],) * 2)
    for c in set(labels.tolist()):
        apart = rows[labels == c].mean(0) - rows.mean(0)
        between += (labels == c).sum() * np.outer(apart, apart)
    shares = between / np.linalg.eigvalsh(between).max() + 0.1 * np.eye(len(between))
    return scipy.linalg.fractional_matrix_power(shares, power).real


def kernel(a: Any, b: Any) -> Any:
    """The mean over both views of ``exp(2 (a·b − 1))``; ``a`` and ``b`` are pairs of them."""
    return sum(np.exp(2.0 * (one @ two.T - 1.0)) for one, two in zip(a, b, strict=True)) / 2.0


def some(views: Any, places: Any) -> Any:
    return tuple(view[places] for view in views)


def predicted(fitted: Any, labels: Any, ridge: float, views: Any, classes: int = CLASSES) -> Any:
    """The codes of ``views`` by scikit-learn's kernel ridge regression, not weighed."""
    return ridge_model(fitted, labels, ridge, classes).predict(kernel(views, fitted))


def ridge_model(fitted: Any, labels: Any, ridge: float, classes: int = CLASSES) -> Any:
    targets = np.eye(classes)[labels] - 1.0 / classes
    return KernelRidge(alpha=ridge, kernel="precomputed").fit(kernel(fitted, fitted), targets)


def weights(fitted: Any, labels: Any, ridge: float) -> Any:
    """What classes are weighed by: ``(r_c / r̄)^(−1/2)``, r of the codes of leaving a row out."""
    classes = int(labels.max()) + 1
    inverse = np.linalg.inv(kernel(fitted, fitted) + ridge * np.eye(len(labels)))
    targets = np.eye(classes)[labels] - 1.0 / classes
    left_out = targets - inverse @ targets / np.diag(inverse)[:, None]
    size = np.sqrt((left_out**2).mean(0))
    return np.sqrt(size.mean() / size)


def views_of(x: Any, found: Any) -> Any:
    """Rows at unit length and whitened, both weighed by the arrays that were found."""
    rows, white = unit(x.astype(np.float64)), white_of(x, found)
    by_row, by_white = (found.arrays[f"{name}_relevance"] for name in ("row", "white"))
    return unit(rows @ by_row), unit(white @ by_white)


def white_of(x: Any, found: Any) -> Any:
    """Rows, whitened by the arrays that were found."""
    mean, matrix = (found.arrays[name].astype(np.float64) for name in ("mean", "whitening"))
    return unit((unit(x.astype(np.float64)) - mean) @ matrix)


def embedded(white: Any, codes: Any, found: Any) -> Any:
    """``unit(Vᵀ [s ; (β / c²) ‖p‖ p])``."""
    c = float(found.arrays["code_norm"])
    gated = BETA / c**2 * np.linalg.norm(codes, axis=1)[:, None] * codes
    return unit(np.hstack([white, gated]) @ found.arrays["projection"].astype(np.float64))


def gates(codes: Any, found: Any) -> Any:
    norms = np.linalg.norm(codes, axis=1, keepdims=True)
    return np.minimum(1.0, (norms / float(found.arrays["code_norm"])) ** 4)


def folds(labels: Any, seed: int = 0) -> Any:
    return closed_form.folds(labels, np.random.Generator(np.random.PCG64(seed)))


def cross_fitted(
    x: Any, labels: Any, ridge: float, power: float, fold: Any, of: Any = range(5)
) -> Any:
    """Whitened rows and codes by which no row of a fold had a part in whitening and fit."""
    rows, classes = unit(x.astype(np.float64)), int(labels.max()) + 1
    white, codes = np.full_like(rows, np.nan), np.full((len(rows), classes), np.nan)
    for number in of:
        held, rest = fold == number, fold != number
        spread = sum(
            (labels[rest] == c).mean() * np.cov(rows[rest & (labels == c)].T, bias=True)
            for c in set(labels[rest].tolist())
        )
        shrunk = 0.4 * spread + 0.6 * np.trace(spread) / len(spread) * np.eye(len(spread))
        values, vectors = np.linalg.eigh(shrunk)
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        own = unit((rows - rows[rest].mean(0)) @ root)
        white[held] = own[held]
        both = [unit(v @ relevance(v[rest], labels[rest], power)) for v in (rows, own)]
        codes[held] = predicted(some(both, rest), labels[rest], ridge, some(both, held), classes)
    return white, codes


def chosen(x: Any, labels: Any, fold: Any, of: Any = range(5)) -> tuple[tuple[float, float], Any]:
    """The smallest ridge within a quarter of a point of the best, by the power 1/4; by the power
    1/2 where that is half a point better with this ridge; and its codes."""
    seen = np.isin(fold, list(of))
    codes = {
        (r, power): cross_fitted(x, labels, r, power, fold, of)[1][seen]
        for power in (0.25, 0.5)
        for r in RIDGES
    }
    right = {o: float((p.argmax(1) == labels[seen]).mean()) for o, p in codes.items()}

    def best(power: float) -> float:
        most = max(right[r, power] for r in RIDGES)
        return min(r for r in RIDGES if right[r, power] >= most - 0.0025)

    ridge, power = best(0.25), 0.25
    if right[ridge, 0.5] >= max(right[r, 0.25] for r in RIDGES) + 0.005:
        ridge, power = best(0.5), 0.5
    return (ridge, power), codes[ridge, power]


def usual_norm(codes: Any) -> float:
    return float(np.median(np.linalg.norm(codes, axis=1)))


def test_the_scatter_within_classes_by_loops() -> None:
    x, labels = data()
    np.testing.assert_allclose(
        linear_maps.within_classes(x.astype(np.float64), labels),
        scatter(x.astype(np.float64), labels),
        atol=1e-12,
    )


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 0.6, 1.0])
def test_whitening_makes_a_sphere_of_the_shrunk_covariance(shrinkage: float) -> None:
    x, labels = data()
    spread = scatter(x.astype(np.float64), labels)
    w = linear_maps.whitening_of(spread, shrinkage)
    shrunk = (1.0 - shrinkage) * spread + shrinkage * np.trace(spread) / WIDTH * np.eye(WIDTH)
    np.testing.assert_allclose(w @ shrunk @ w, np.eye(WIDTH), atol=1e-9)
    np.testing.assert_allclose(w, w.T, atol=1e-12)
    assert np.linalg.eigvalsh(w).min() > 0.0
    if shrinkage == 0.0:
        np.testing.assert_allclose(w @ spread @ w, np.eye(WIDTH), atol=1e-9)


@pytest.mark.parametrize(("rows", "width"), [(60, 6), (60, 60), (59, 60), (20, 70)])
def test_rows_are_whitened_by_the_formula(rows: int, width: int) -> None:
    """Of more columns than rows too, whose covariance is not made."""
    x, labels = data(rows, width)
    found = fit_closed_form(x, labels, OUTPUT)
    own, white = unit(x.astype(np.float64)), white_of(x, found)
    np.testing.assert_allclose(found.arrays["mean"], own.mean(0), atol=1e-7)
    expected = by_hand(x, labels)
    np.testing.assert_allclose(white @ white.T, expected @ expected.T, atol=1e-5)
    np.testing.assert_allclose(found.arrays["rows"], own, atol=1e-6)


def test_rows_are_weighed_by_the_scatter_of_class_means() -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT)
    assert found.power in closed_form.POWERS
    for name, rows in (("row", unit(x.astype(np.float64))), ("white", white_of(x, found))):
        expected = relevance(rows, labels, found.power)
        np.testing.assert_allclose(found.arrays[f"{name}_relevance"], expected, atol=1e-6)
        values = np.linalg.eigvalsh(expected)
        assert values.min() == pytest.approx(0.1**found.power), "of directions without classes"
        assert values.max() == pytest.approx(1.1**found.power)


def test_class_codes_are_kernel_ridge_regression() -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT)
    assert found.ridge in closed_form.RIDGES
    views = views_of(x, found)
    peer = ridge_model(views, labels, found.ridge)
    weighed = peer.dual_coef_ * weights(views, labels, found.ridge)
    np.testing.assert_allclose(found.arrays["coefficients"], weighed, atol=1e-4)
    made = closed_form._Views(*views)
    targets = closed_form.class_targets(labels, CLASSES)
    own, _ = closed_form.ridge_regression(made.own_kernel(), targets, found.ridge)
    np.testing.assert_allclose(own, peer.dual_coef_, atol=1e-10)
    scale = BETA / float(found.arrays["code_norm"]) ** 2
    assert float(found.arrays["code_scale"]) == pytest.approx(scale, rel=1e-5)


def test_left_out_rows_of_few_are_of_five_folds() -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT)
    assert found.left_out is not None
    assert found.ridge is not None
    assert found.power is not None
    views = views_of(x, found)
    weighed = weights(views, labels, found.ridge)
    white, codes = cross_fitted(x, labels, found.ridge, found.power, folds(labels))
    codes *= weighed
    rows, own, numbers = found.left_out
    np.testing.assert_array_equal(numbers, np.arange(len(x)))
    assert rows.dtype == own.dtype == np.float32
    np.testing.assert_allclose(rows, embedded(white, codes, found), atol=2e-5)
    np.testing.assert_allclose(own, gates(codes, found), atol=1e-5)
    assert 0.0 < own.min() < own.max() == 1.0
    seen = weighed * predicted(views, labels, found.ridge, views)
    known = embedded(white_of(x, found), seen, found)
    assert np.abs(rows - known).max() > 0.01, "the label is to be missed"


def test_left_out_rows_of_many_are_refitted_without_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 59)
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT)
    assert found.left_out is not None
    assert found.ridge is not None
    views = views_of(x, found)
    codes = np.concatenate(
        [
            predicted(
                some(views, np.delete(np.arange(60), i)),
                np.delete(labels, i),
                found.ridge,
                some(views, [i]),
            )
            for i in range(60)
        ]
    ) * weights(views, labels, found.ridge)
    np.testing.assert_allclose(
        found.left_out[0], embedded(white_of(x, found), codes, found), atol=2e-5
    )
    np.testing.assert_allclose(found.left_out[1], gates(codes, found), atol=1e-5)
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 60)
    few = fit_closed_form(x, labels, OUTPUT).left_out
    assert few is not None
    assert np.abs(few[0] - found.left_out[0]).max() > 0.01


def test_rows_beyond_the_kernels_have_their_plain_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "KERNEL_ROWS", 24)
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 30)
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT)
    assert found.left_out is not None
    assert found.ridge is not None
    views, rows = views_of(x, found), unit(x.astype(np.float64))
    places = [int(np.abs(rows - row).sum(1).argmin()) for row in found.arrays["rows"]]
    assert len(set(places)) == 24
    assert np.bincount(labels[places]).tolist() == [8, 8, 8]
    others = np.setdiff1d(np.arange(len(x)), places)
    weighed = weights(some(views, places), labels[places], found.ridge)
    codes = predicted(some(views, places), labels[places], found.ridge, some(views, others))
    codes *= weighed
    assert found.started is not None
    np.testing.assert_allclose(
        found.started[0][others], embedded(white_of(x, found)[others], codes, found), atol=2e-5
    )
    np.testing.assert_array_equal(found.left_out[2], np.sort(places))
    codes = weighed * predicted(some(views, places), labels[places], found.ridge, views)
    np.testing.assert_allclose(
        found.started[0], embedded(white_of(x, found), codes, found), atol=2e-5
    )
    known = found.started[0][found.left_out[2]]
    assert np.abs(found.left_out[0] - known).max(axis=1).min() > 1e-4, "the label is to be missed"


def test_rows_are_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "KERNEL_ROWS", 24)
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 30)
    x, labels = data()
    whole = fit_closed_form(x, labels, OUTPUT)
    monkeypatch.setattr(kernel_ridge, "KERNEL_BLOCK", 7)
    monkeypatch.setattr(linear_maps, "_BLOCK", 11)
    again = fit_closed_form(x, labels, OUTPUT)
    assert whole.left_out is not None
    assert again.left_out is not None
    for name, array in whole.arrays.items():
        np.testing.assert_allclose(again.arrays[name], array, atol=1e-6, err_msg=name)
    for one, other in zip(again.left_out, whole.left_out, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("weight", [BETA, 0.0])
def test_the_projection_is_of_the_leading_eigenvectors(weight: float) -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, 4, code_weight=weight)
    z = white_of(x, found)
    if weight:
        views = views_of(x, found)
        assert found.ridge is not None
        weighed = weights(views, labels, found.ridge)
        codes = weighed * predicted(views, labels, found.ridge, views)
        gated = BETA / float(found.arrays["code_norm"]) ** 2 * codes
        z = unit(np.hstack([z, gated * np.linalg.norm(codes, axis=1)[:, None]]))
    _, _, vectors = randomized_svd(z, 4, n_oversamples=6, n_iter=200, random_state=0)
    own = found.arrays["projection"]
    assert own.shape == (WIDTH + CLASSES if weight else WIDTH, 4)
    signs = np.sign((vectors.T * own).sum(0))
    np.testing.assert_allclose(own, vectors.T * signs, atol=2e-4)
    assert (own[np.abs(own).argmax(0), np.arange(4)] > 0.0).all(), "no sign is left to LAPACK"


def test_the_sign_of_an_eigenvector_is_settled() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 5))
    v = linear_maps.leading(rows, 5)
    np.testing.assert_allclose(v, linear_maps.leading(-rows, 5))
    np.testing.assert_allclose(v.T @ v, np.eye(5), atol=1e-12)
    spread = np.diag(v.T @ rows.T @ rows @ v)
    assert (np.diff(spread) < 0.0).all(), "the largest first"


@pytest.mark.parametrize("most", [1, 5, 9, 12, 30, 99])
def test_rows_are_sampled_evenly(most: int) -> None:
    labels = np.repeat(np.arange(4), (3, 20, 5, 2))
    rng = np.random.Generator(np.random.PCG64(3))
    chosen = closed_form.sample_evenly(labels, most, rng)
    assert len(chosen) == min(most, 30)
    assert (np.diff(chosen) > 0).all()
    counts, sizes = np.bincount(labels[chosen], minlength=4), np.bincount(labels)
    open_classes = counts < sizes
    if open_classes.any():
        assert counts.max() - counts[open_classes].min() <= 1
    again = closed_form.sample_evenly(labels, most, np.random.Generator(np.random.PCG64(3)))
    np.testing.assert_array_equal(chosen, again)


def test_other_seeds_sample_other_rows() -> None:
    labels = np.repeat(np.arange(4), 50)
    draws = {
        tuple(closed_form.sample_evenly(labels, 40, np.random.Generator(np.random.PCG64(seed))))
        for seed in range(5)
    }
    assert len(draws) == 5


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_folds_hold_every_class_evenly(classes: int) -> None:
    _, labels = data(101, classes=classes)
    fold = folds(labels)
    assert sorted(set(fold.tolist())) == [0, 1, 2, 3, 4]
    counts = np.array([np.bincount(fold[labels == c], minlength=5) for c in range(classes)])
    assert (np.ptp(counts, axis=1) <= 1).all()
    assert np.ptp(np.bincount(fold)) <= 1
    assert (folds(labels, 1) != fold).any()


def noisy(seed: int, rows: int = 480) -> Any:
    """Two columns in which classes can hardly be told, so that the ridge matters."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    x = np.eye(3)[labels] + rng.normal(size=(rows, 3)) * 0.5
    return x.astype(np.float32), labels


@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_ridge_near_the_best_is_taken(seed: int) -> None:
    x, labels = noisy(seed)
    options, codes = chosen(x, labels, folds(labels))
    found = fit_closed_form(x, labels, 5)
    assert (found.ridge, found.power) == options
    ridge, _ = options
    norm = usual_norm(codes * weights(views_of(x, found), labels, ridge))
    assert float(found.arrays["code_norm"]) == pytest.approx(norm, rel=1e-5)


def test_of_many_rows_one_fold_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 400)
    for seed in range(2):
        x, labels = noisy(seed)
        options, codes = chosen(x, labels, folds(labels), [0])
        found = fit_closed_form(x, labels, 5)
        assert (found.ridge, found.power) == options
        ridge, _ = options
        norm = usual_norm(codes * weights(views_of(x, found), labels, ridge))
        assert float(found.arrays["code_norm"]) == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize(
    ("labels", "usable"),
    [
        (np.arange(12) % 3, True),
        (np.arange(11) % 3, False),
        (np.zeros(40, int), False),
        (np.arange(40), False),
        (np.arange(8000) % 1000, True),
        (np.arange(8000) % 1001, False),
        (np.repeat([0, 1, 2], (1, 1, 10)), True),
    ],
    ids=["four each", "fewer", "one class", "each its own", "1,000", "1,001", "unequal"],
)
def test_which_classes_have_codes(labels: Any, usable: bool) -> None:
    assert closed_form.has_usable_classes(labels) == usable
    if len(labels) > 100:
        return
    x = np.random.default_rng(0).normal(size=(len(labels), WIDTH)).astype(np.float32)
    found = fit_closed_form(x, labels, OUTPUT)
    names = {"mean", "whitening", "projection"}
    codes = {"rows", "coefficients", "row_relevance", "white_relevance"}
    codes |= {"code_scale", "code_norm"}
    assert found.arrays.keys() == (names | codes if usable else names)
    assert (found.left_out is not None) == (found.ridge is not None) == usable
    assert all(np.isfinite(array).all() for array in found.arrays.values())
    if usable:
        assert float(found.arrays["code_norm"]) > 0.0


def test_rows_that_tell_nothing_of_their_classes_have_no_code() -> None:
    """What is left of it would be rounding."""
    x = np.linspace(0.1, 3.0, 60, dtype=np.float32)[:, None] * np.eye(WIDTH, dtype=np.float32)[0]
    found = fit_closed_form(x, np.arange(60) % CLASSES, OUTPUT)
    assert found.arrays.keys() == {"mean", "whitening", "projection"}
    assert found.left_out is None


def test_no_weight_is_whitening_alone() -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, OUTPUT, code_weight=0.0)
    assert found.arrays.keys() == {"mean", "whitening", "projection"}
    assert found.left_out is None
    assert found.arrays["projection"].shape == (WIDTH, OUTPUT)


def test_one_class_is_whitened_by_its_covariance() -> None:
    x, _ = data()
    found = fit_closed_form(x, np.full(len(x), 7), OUTPUT)
    rows = unit(x.astype(np.float64))
    covariance = np.cov(rows.T, bias=True)
    shrunk = 0.4 * covariance + 0.6 * np.trace(covariance) / WIDTH * np.eye(WIDTH)
    w = found.arrays["whitening"].astype(np.float64)
    np.testing.assert_allclose(w @ shrunk @ w, np.eye(WIDTH), atol=1e-4)


def test_names_of_classes_do_not_matter() -> None:
    x, labels = data()
    first, second = (fit_closed_form(x, own, OUTPUT) for own in (labels, 40 + 3 * labels))
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def test_lengths_of_rows_do_not_matter() -> None:
    x, labels = data()
    lengths = 2.0 ** np.random.default_rng(1).integers(-30, 30, (len(x), 1))
    first = fit_closed_form(x, labels, OUTPUT)
    second = fit_closed_form((x * lengths).astype(np.float32), labels, OUTPUT)
    for name, array in first.arrays.items():
        np.testing.assert_allclose(array, second.arrays[name], atol=1e-6)


ODD: dict[str, tuple[Any, Any]] = {
    "duplicates": (np.tile(data(20)[0], (3, 1)), np.tile(data(20)[1], 3)),
    "duplicates of other classes": (np.tile(data(20)[0], (3, 1)), np.repeat(np.arange(3), 20)),
    "some rows zero": (data()[0] * (np.arange(60) % 4 > 0)[:, None], data()[1]),
    "all rows zero": (np.zeros((60, WIDTH), np.float32), data()[1]),
    "all rows equal": (np.ones((60, WIDTH), np.float32), data()[1]),
    "classes in one point each": (np.eye(WIDTH, dtype=np.float32)[data()[1]], data()[1]),
    "a column constant": (data()[0] * np.array([0, 1, 1, 1, 1, 1], np.float32), data()[1]),
    "more columns than rows": data(24, 80),
    "one column": data(24, 1),
    "classes of one row": (data()[0], np.where(np.arange(60) < 5, np.arange(60) + 3, data()[1])),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_rows_give_numbers(kind: str) -> None:
    x, labels = ODD[kind]
    found = fit_closed_form(x.astype(np.float32), labels, 9)
    assert all(np.isfinite(array).all() for array in found.arrays.values())
    assert all(array.dtype == np.float32 for array in found.arrays.values())
    # Of one row that is told apart, or fewer than four a class, there is no code.
    alike = kind in ("all rows zero", "all rows equal", "classes in one point each")
    assert (found.left_out is None) == alike
    if found.left_out is None:
        return
    assert all(np.isfinite(array).all() for array in found.left_out)
    lengths = np.linalg.norm(found.left_out[0], axis=1)
    assert (np.isclose(lengths, 1.0, atol=1e-5) | (lengths == 0.0)).all()


@pytest.mark.parametrize("most", [2000, 30], ids=["five folds", "leaving one out"])
def test_equal_rows_of_a_class_count_once(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its twin would tell a row that is left out its own class."""
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", most)
    x, labels = data()
    order = np.random.default_rng(0).permutation(3 * len(x))
    order = order[np.argsort(order >= len(x), kind="stable")] % len(x)  # once each, then again
    once, often = (fit_closed_form(x[o], labels[o], OUTPUT) for o in (order[: len(x)], order))
    for name, array in once.arrays.items():
        np.testing.assert_array_equal(often.arrays[name], array)
    assert once.started is not None
    assert often.started is not None
    assert once.left_out is not None
    assert often.left_out is not None
    at = np.argsort(order[: len(x)])[order]
    for few, many in zip(once.started, often.started, strict=True):
        np.testing.assert_allclose(many, few[at], atol=2e-6)
    np.testing.assert_array_equal(often.left_out[2], np.arange(len(order)))
    for few, many in zip(once.left_out[:2], often.left_out[:2], strict=True):
        np.testing.assert_allclose(many, few[at], atol=2e-6)


def test_equal_rows_of_two_classes_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "CROSS_FITTED_ROWS", 30)
    x, labels = data()
    x[labels == 1] = x[labels == 0][: (labels == 1).sum()]
    found = fit_closed_form(x, labels, OUTPUT)
    assert len(found.arrays["rows"]) == len(x)


def test_more_columns_than_rows_leave_classes_apart() -> None:
    x, labels = data(24, 80)
    found = fit_closed_form(x, labels, 80)
    w = found.arrays["whitening"].astype(np.float64)
    spread = scatter(unit(x.astype(np.float64)), labels)
    shrunk = 0.4 * spread + 0.6 * np.trace(spread) / 80 * np.eye(80)
    np.testing.assert_allclose(w @ shrunk @ w, np.eye(80), atol=1e-3)


def test_a_width_beyond_what_there_is_ends_in_zeros() -> None:
    x, labels = data()
    wide, narrow = (fit_closed_form(x, labels, n) for n in (20, WIDTH + CLASSES))
    assert wide.arrays["projection"].shape == (WIDTH + CLASSES, 20)
    assert not wide.arrays["projection"][:, WIDTH + CLASSES :].any()
    np.testing.assert_array_equal(
        wide.arrays["projection"][:, : WIDTH + CLASSES], narrow.arrays["projection"]
    )
    assert wide.left_out is not None
    assert narrow.left_out is not None
    first = wide.left_out[0][:, : WIDTH + CLASSES]
    np.testing.assert_allclose(first, narrow.left_out[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(wide.left_out[0], axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 31, 59])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_rows_that_are_not_finite_do_not_go_unseen(value: float, row: int) -> None:
    x, labels = data()
    x[row, 2] = value
    with pytest.raises(ValueError, match=r"finite|converge|infs or NaNs"):
        fit_closed_form(x, labels, OUTPUT)


def test_the_seed_decides_every_bit() -> None:
    x, labels = data(400)
    first, again, other = (fit_closed_form(x, labels, OUTPUT, seed=s) for s in (0, 0, 1))
    for name, array in first.arrays.items():
        assert array.tobytes() == again.arrays[name].tobytes()
    assert float(first.arrays["code_norm"]) != float(other.arrays["code_norm"])
