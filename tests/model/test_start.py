"""The start of a model: applied as its formula says, saved, kept, and the same in any company."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, DTGCNNConfig, Trainer, TripletDataset, load_ops
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.data import ClosedForm, fit_closed_form
from dtgcnn.model import start as start_module
from dtgcnn.model.start import Start
from dtgcnn.storage.files import read_arrays, write_arrays

from ..conftest import PLAIN, SETTINGS, blobs

X, LABELS = blobs()
NEW = blobs(per_class=33)[0][::3] + np.float32(0.25)
"""Rows that no model here was trained on."""


def unit(x: Any) -> Any:
    x = np.asarray(x, np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0.0, lengths, 1.0)


def by_formula(arrays: dict[str, Any], x: Any) -> tuple[Any, Any]:
    """``unit(Vᵀ [s ; (β / c²) ‖p‖ p])`` and ``min(1, (‖p‖ / c)⁴)``, in float64, row by row."""
    own = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    out, gates = [], []
    known = own.get("rows", np.zeros((0, 12)))
    same = np.eye(len(own["mean"]))
    of_row, of_white = (own.get(f"{name}_relevance", same) for name in ("row", "white"))
    told = unit(unit((known - own["mean"]) @ own["whitening"]) @ of_white)
    views = list(zip(unit(known @ of_row), told, strict=True))
    for row in unit(x):
        s = unit((row - own["mean"])[None] @ own["whitening"])[0]
        gate = 1.0
        if "rows" in own:
            t, u = unit((row @ of_row)[None])[0], unit((s @ of_white)[None])[0]
            kernel = [
                0.5 * np.exp(2.0 * (t @ other - 1.0)) + 0.5 * np.exp(2.0 * (u @ weighed - 1.0))
                for other, weighed in views
            ]
            p = sum(k * a for k, a in zip(kernel, own["coefficients"], strict=True))
            norm = float(np.sqrt((p**2).sum()))
            gate = min(1.0, (norm / float(own["code_norm"])) ** 4)
            s = np.concatenate([s, float(own["code_scale"]) * norm * p])
        out.append(s @ own["projection"])
        gates.append([gate])
    return unit(out), np.array(gates)


def host(model: DTGCNN) -> dict[str, Any]:
    assert model.start is not None
    return {name: model.ops.to_numpy(a) for name, a in model.start.arrays.items()}


def trained(backend: str = "numpy", **settings: Any) -> DTGCNN:
    train, val = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 0.8)
    model = DTGCNN(
        backend=backend, **{**SETTINGS, "learning_rate": 1e-2, "num_epochs": 3, **settings}
    )
    Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False).train()
    assert np.abs(model.ops.to_numpy(model.params["head"]["weight"])).max() > 1e-3
    return model


# -- the formula


@pytest.mark.parametrize("weight", [1.5, 0.4, 0.0])
@pytest.mark.parametrize("by_rows", [True, False])
def test_the_formula_in_float64(backend: str, weight: float, by_rows: bool) -> None:
    ops = load_ops(backend)
    found = fit_closed_form(X, LABELS, 8, code_weight=weight)
    start = Start.of(ops, found.arrays)
    assert start.has_codes == (weight > 0.0)
    for rows in (X, NEW, NEW[:1]):
        z, gate = start(ops, ops.asarray(unit(rows).astype(np.float32)), by_rows=by_rows)
        expected, gates = by_formula(found.arrays, rows)
        np.testing.assert_allclose(ops.to_numpy(z), expected, atol=2e-6)
        np.testing.assert_allclose(ops.to_numpy(gate), gates, atol=5e-6)
        assert (z.shape, gate.shape) == ((len(rows), 8), (len(rows), 1))


def test_the_formula_to_rounding() -> None:
    """The same in float64, where nothing but the order of sums is left."""
    ops = load_ops("numpy", dtype="float64")
    found = fit_closed_form(X, LABELS, 8)
    z, gate = Start.of(ops, found.arrays)(ops, ops.asarray(unit(NEW)))
    expected, gates = by_formula(found.arrays, NEW)
    np.testing.assert_allclose(ops.to_numpy(z), expected, atol=1e-12)
    np.testing.assert_allclose(ops.to_numpy(gate), gates, atol=1e-12)
    assert 0.0 < gates.min() < 0.9
    assert gates.max() == 1.0


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200, 10_000])
@pytest.mark.parametrize("by_rows", [True, False])
def test_codes_of_many_rows_lose_little_to_rounding(backend: str, by_rows: bool, rows: int) -> None:
    """Coefficients of both signs, one after the other, which sum to far more than the code."""
    rng = np.random.default_rng(0)
    arrays = {"mean": np.zeros(6), "whitening": np.eye(6), "projection": np.eye(6 + 20)}
    arrays |= {"rows": unit(rng.normal(size=(rows, 6))), "code_scale": np.array(1e6)}
    halves = np.where(np.arange(rows)[:, None] < rows // 2, 0.1, -0.1)
    arrays |= {"coefficients": halves + rng.normal(size=(rows, 20)) / 20}
    arrays |= {"code_norm": np.array(1.0)}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    ops = load_ops(backend)
    asked = unit(NEW[:, :6]).astype(np.float32)
    z, _ = Start.of(ops, arrays)(ops, ops.asarray(asked), by_rows=by_rows)
    expected, _ = by_formula(arrays, asked)
    np.testing.assert_allclose(ops.to_numpy(z), expected, atol=1e-5)


def beside_large_classes() -> tuple[Any, Any]:
    """Six topics, each of a class of 40 rows and four of five rows near to it."""
    rng = np.random.default_rng(0)
    rows, labels = [], []
    for topic in range(6):
        centre = rng.normal(size=16)
        for place in range(5):
            count = 5 if place else 40
            own = centre + (0.5 * rng.normal(size=16) if place else 0.0)
            rows.append(own + 0.5 * rng.normal(size=(count, 16)))
            labels += [5 * topic + place] * count
    return np.concatenate(rows).astype(np.float32), np.array(labels)


@pytest.mark.parametrize("data", [beside_large_classes, blobs])
def test_classes_are_weighed_by_their_left_out_codes(data: Any) -> None:
    x, labels = data()
    found = fit_closed_form(x, labels, 8)
    assert found.ridge is not None
    white = unit((unit(x) - found.arrays["mean"]) @ found.arrays["whitening"])
    relevances = (found.arrays[f"{name}_relevance"] for name in ("row", "white"))
    views = [unit(v @ matrix) for v, matrix in zip((unit(x), white), relevances, strict=True)]
    kernel = 0.5 * sum(np.exp(2.0 * (v @ v.T - 1.0)) for v in views)
    ridged = kernel + found.ridge * np.eye(len(x))
    targets = np.eye(labels.max() + 1)[labels] - 1.0 / (labels.max() + 1)
    left_out = np.empty_like(targets)
    for row in range(len(x)):
        others = np.arange(len(x)) != row
        solved = np.linalg.solve(ridged[np.ix_(others, others)], targets[others])
        left_out[row] = kernel[row, others] @ solved
    size = np.sqrt(np.mean(left_out**2, axis=0))
    weights = np.sqrt(size.mean() / size)
    expected = np.linalg.solve(ridged, targets) * weights
    tolerance = 1e-4 * np.abs(expected).max()  # mean and whitening are float32 here
    np.testing.assert_allclose(found.arrays["coefficients"], expected, atol=tolerance)


def norms_of(found: ClosedForm, rows: Any) -> Any:
    """The lengths of class codes, by their gates below 1."""
    arrays = found.arrays | {"code_norm": np.array(1e3, np.float32)}
    _, gate = Start.of(load_ops("numpy"), arrays)(load_ops("numpy"), unit(rows).astype(np.float32))
    return 1e3 * gate[:, 0].astype(np.float64) ** 0.25


def test_held_out_rows_with_longer_codes_make_the_usual_norm_longer() -> None:
    """Rows with a number of their own each are farther from one another than from new ones."""
    centres = np.eye(4, 66)[np.arange(80) % 4]
    own = np.pad(np.eye(60), ((0, 20), (6, 0)))
    noise = 0.02 * np.random.default_rng(5).normal(size=centres.shape)
    rows = (centres + own + noise).astype(np.float32)
    x, labels, held_out = rows[:60], np.arange(60) % 4, rows[60:]
    before = fit_closed_form(x, labels, 8)
    after = fit_closed_form(x, labels, 8, held_out=held_out)
    usual = float(before.arrays["code_norm"])
    ratio = float(np.median(norms_of(before, held_out))) / usual
    assert ratio > 1.3
    assert before.longer == 1.0
    assert after.longer == pytest.approx(ratio ** (2 / 3))
    assert after.arrays["code_norm"] == pytest.approx(usual * after.longer)
    assert after.arrays["code_scale"] == pytest.approx(1.5 / after.arrays["code_norm"] ** 2)
    z, gate = by_formula(after.arrays, unit(x))
    assert after.started is not None
    np.testing.assert_allclose(after.started[0], z, atol=2e-6)
    np.testing.assert_allclose(after.started[1], gate, atol=5e-6)
    assert before.left_out is not None
    assert after.left_out is not None
    np.testing.assert_array_equal(after.left_out[1], before.left_out[1])
    again = fit_closed_form(x, labels, 8, longer=after.longer)
    for name, array in after.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    for count, told in ((3, False), (4, True)):  # longer, all of three may be by chance
        some = fit_closed_form(x, labels, 8, held_out=held_out[:count])
        assert (some.longer > 1.0) == told
    model = DTGCNN(backend="numpy", **{**SETTINGS, "input_dim": 66})
    assert model.fit_start(x, labels, held_out) is not None
    assert model.codes_longer == after.longer
    assert model.fit_start(x, labels) is not None, "the same start is found again"


def test_held_out_rows_like_the_others_change_nothing() -> None:
    before = fit_closed_form(X[::2], LABELS[::2], 8)
    for held_out in (X[1::2], X[:0]):
        after = fit_closed_form(X[::2], LABELS[::2], 8, held_out=held_out)
        assert after.longer == 1.0
        for name, array in before.arrays.items():
            np.testing.assert_array_equal(after.arrays[name], array)


def test_no_rows(backend: str) -> None:
    ops = load_ops(backend)
    start = Start.of(ops, fit_closed_form(X, LABELS, 8).arrays)
    z, gate = start(ops, ops.zeros((0, 12)))
    assert (z.shape, gate.shape) == ((0, 8), (0, 1))


def test_many_rows_are_started_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = load_ops("numpy")
    start = Start.of(ops, fit_closed_form(X, LABELS, 8).arrays)
    rows = unit(X).astype(np.float32)
    whole, gates = start(ops, rows, by_rows=True)
    monkeypatch.setattr(start_module, "BLOCK_ROWS", 32)  # 80 rows: two blocks and a half
    z, gate = start(ops, rows, by_rows=True)
    np.testing.assert_array_equal(z, whole)
    np.testing.assert_array_equal(gate, gates)


def test_a_row_unlike_any_class_has_a_small_gate() -> None:
    """Classes in two of six axes; a row along another axis is far from all rows of both."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    x = np.eye(6)[labels] + 0.05 * rng.normal(size=(60, 6))
    model = DTGCNN(backend="numpy", **{**SETTINGS, "input_dim": 6})
    model.fit_start(x.astype(np.float32), labels)
    rows = np.concatenate([np.eye(6)[:2], -np.ones((1, 6))]).astype(np.float32)
    _, gate = model.started(rows)
    assert gate is not None
    assert gate[:2].min() > 0.9
    assert gate[2] < 0.05


def test_a_model_without_a_start_has_the_rows_themselves() -> None:
    model = DTGCNN(backend="numpy", **PLAIN)
    rows, gate = model.started(X)
    assert gate is None
    np.testing.assert_array_equal(rows, model.device_rows(X))
    with pytest.raises(ValueError, match="the model has no start yet: train it, or call fit_start"):
        DTGCNN(backend="numpy", **SETTINGS).started(X)


# -- the network on top of it


def test_before_the_first_step_an_embedding_is_the_start(backend: str) -> None:
    model = DTGCNN(backend=backend, **SETTINGS)
    views = model.fit_start(X, LABELS)
    model.build_bank(X, LABELS.tolist())
    assert all(not np.any(model.ops.to_numpy(leaf)) for leaf in model.params["head"].values())
    expected, _ = by_formula(host(model), NEW)
    np.testing.assert_allclose(model.encode(NEW), expected, atol=2e-6)
    assert views is not None
    found = fit_closed_form(X, LABELS, 8)
    for view, expected in zip(views, (found.started, found.left_out), strict=True):
        assert expected is not None
        np.testing.assert_array_equal(view[0], expected[0])
    z, gate = by_formula(host(model), X)
    np.testing.assert_allclose(views[0][0], z, atol=2e-6)
    np.testing.assert_allclose(views[0][1], gate, atol=5e-6)


@pytest.mark.parametrize("normalised", [True, False])
def test_an_embedding_adds_what_the_head_gives_times_the_gate(normalised: bool) -> None:
    model = trained(normalize_output=normalised)
    assert model.bank is not None
    z, gate = by_formula(host(model), NEW)
    nodes = model.started(NEW)[0]
    h = model.ops.asarray(nodes)
    graph = model.attach(model.vectors(NEW), nodes)
    for index, layer in enumerate(model.network.layers):
        name = str(index)
        states = model.params["gcn"][name], model.state["gcn"][name]
        h, _ = layer(model.ops, *states, h, graph, model.bank.states[index])
    added = h @ model.params["head"]["weight"] + model.params["head"]["bias"]
    f = z + gate * added
    assert np.abs(added).max() > 0.01
    np.testing.assert_allclose(model.encode(NEW), unit(f) if normalised else f, atol=5e-6)


@pytest.mark.parametrize("hops", [1, 3])
def test_hops_average_an_embedding_with_its_neighbours(hops: int) -> None:
    """By loops: ``z ← unit(own f + Σ_j w_j z_j)`` over the bank, each row without itself."""
    plain, model = trained(), trained(propagation_hops=hops)
    for name, leaf in flatten(plain.params).items():  # it comes after the network
        np.testing.assert_array_equal(leaf, flatten(model.params)[name])
    assert model.bank is not None
    bank_x, k = model.bank.host_x, model.config.graph_k_neighbors

    def links(f: Any, source: Any, own: list[int]) -> Any:
        weights = np.zeros((len(f), len(source)))
        for row in range(len(f)):
            cosines = source @ f[row]
            if own[row] >= 0:
                cosines[own[row]] = -np.inf
            for j in np.argsort(-cosines)[:k]:
                weights[row, j] = max(cosines[j], 0.0) ** 2
        return weights

    bank_f = plain.encode(bank_x).astype(np.float64)
    among = links(bank_f, bank_f, list(range(len(bank_f))))
    states = [bank_f]
    for _ in range(hops):
        share = 1.0 + among.sum(1, keepdims=True)
        states.append(unit((bank_f + among @ states[-1]) / share))
    f = plain.encode(NEW).astype(np.float64)
    weights = links(f, bank_f, [-1] * len(f))
    expected = f
    for source in states[:hops]:
        expected = unit((f + weights @ source) / (1.0 + weights.sum(1, keepdims=True)))
    np.testing.assert_allclose(model.encode(NEW), expected, atol=1e-5)
    np.testing.assert_allclose(model.encode(bank_x), states[-1], atol=1e-5)
    np.testing.assert_allclose(model.bank_embeddings(), states[-1], atol=1e-5)
    assert np.abs(expected - f).max() > 0.01


def test_links_of_hops_are_found_once_for_the_same_parameters(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(backend, propagation_hops=2)
    ops, bank, found = model.ops, model.trained_bank(), model.bank_embeddings()
    copied = {**model.params}
    again = bank.embeddings(ops, model.network, copied, model.state, 2)
    np.testing.assert_array_equal(ops.to_numpy(again), found)
    moved = tree_map(lambda leaf: leaf + 1.0, model.params)
    other = bank.embeddings(ops, model.network, moved, model.state, 2)
    assert np.abs(ops.to_numpy(other) - found).max() > 0.01

    def refused(*arguments: Any) -> Any:
        raise AssertionError("all rows are compared with all")

    monkeypatch.setattr("dtgcnn.model.bank.attached", refused)
    np.testing.assert_array_equal(model.bank_embeddings(), found)


@pytest.mark.parametrize("hops", [0, 2])
@pytest.mark.parametrize("weight", [1.5, 0.0])
def test_an_embedding_does_not_depend_on_its_company(
    backend: str, hops: int, weight: float
) -> None:
    model = trained(backend, propagation_hops=hops, code_weight=weight)
    x = np.concatenate([NEW, X, blobs(per_class=90)[0][::2]])
    together = model.encode(x)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(model.encode(x[order]), together[order])
    for row in range(0, len(x), 17):
        np.testing.assert_array_equal(model.encode(x[row : row + 1]), together[row : row + 1])
    np.testing.assert_array_equal(model.encode(x[40:90]), together[40:90])
    assert np.isfinite(together).all()


@pytest.mark.parametrize("hops", [0, 2])
def test_backends_agree(hops: int, backend: str) -> None:
    model = trained(propagation_hops=hops)
    folder_arrays = model.encode(NEW)
    other = DTGCNN(model.config, backend=backend)
    ops = other.ops
    other.start = Start.of(ops, host(model))
    from dtgcnn.array.tree import refill

    for name in ("params", "state"):
        leaves = flatten(getattr(model, name), name).items()
        device = {n: ops.asarray(leaf) for n, leaf in leaves}
        setattr(other, name, refill(getattr(other, name), device, name))
    assert model.bank is not None
    other.build_bank(model.bank.host_x, model.bank.labels or [])
    np.testing.assert_allclose(other.encode(NEW), folder_arrays, atol=1e-5)
    np.testing.assert_allclose(other.bank_embeddings(), model.bank_embeddings(), atol=1e-5)


def test_rows_of_one_direction_give_what_numpy_gives(backend: str) -> None:
    """There a class code would be rounding, which no two backends do alike."""
    x = np.linspace(0.1, 3.0, 60, dtype=np.float32)[:, None]
    asked = np.array([[1.0], [-1.0], [0.0]], np.float32)
    found = []
    for name in ("numpy", backend):
        config = DTGCNNConfig(input_dim=1, hidden_dims=(8,), output_dim=4, graph_k_neighbors=4)
        model = DTGCNN(config, backend=name)
        model.fit_start(x, np.arange(60) % 2)
        found.append(model.ops.to_numpy(model.started(model.vectors(asked))[0]))
    np.testing.assert_allclose(*found, atol=1e-6)


def test_the_bank_knows_its_classes_and_embeddings() -> None:
    model = trained(propagation_hops=1)
    assert model.bank is not None
    places = [int((row == X).all(1).argmax()) for row in model.bank.host_x]
    assert model.bank.labels == LABELS[places].tolist()
    np.testing.assert_allclose(model.bank_embeddings(), model.encode(model.bank.host_x), atol=1e-5)


# -- saved models


@pytest.mark.parametrize("hops", [0, 2])
@pytest.mark.parametrize("weight", [1.5, 0.0])
def test_a_saved_model_gives_equal_bits(
    backend: str, hops: int, weight: float, tmp_path: Path
) -> None:
    model = trained(backend, propagation_hops=hops, code_weight=weight)
    back = DTGCNN.load(model.save(tmp_path / "m"), backend=backend)
    assert back.config == model.config
    for name, array in host(model).items():
        assert host(back)[name].tobytes() == array.tobytes()
    np.testing.assert_array_equal(back.encode(NEW), model.encode(NEW))
    np.testing.assert_array_equal(back.encode(X), model.encode(X))
    again = DTGCNN.load(back.save(tmp_path / "n"), backend=backend)
    np.testing.assert_array_equal(again.encode(NEW), model.encode(NEW))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in "mn")
    assert first == second


def test_which_arrays_are_saved(tmp_path: Path) -> None:
    _, arrays = read_arrays(trained(propagation_hops=2).save(tmp_path / "m") / "model.safetensors")
    shapes = {name: array.shape for name, array in arrays.items()}
    rows = shapes["bank.x"][0]
    assert {n: s for n, s in shapes.items() if n.startswith(("start.", "bank."))} == {
        "bank.labels": (rows,),
        "bank.neighbors": (rows, 4),
        "bank.weights": (rows, 4),
        "bank.own": (rows, 1),
        "start.mean": (12,),
        "start.whitening": (12, 12),
        "start.rows": (rows, 12),
        "start.coefficients": (rows, 4),
        "start.row_relevance": (12, 12),
        "start.white_relevance": (12, 12),
        "start.code_scale": (),
        "start.code_norm": (),
        "start.projection": (16, 8),
        "bank.x": (rows, 12),
        "bank.states.0": (rows, 8),
        "bank.states.1": (rows, 16),
        "bank.gate": (rows, 1),
        "bank.hops.0": (rows, 8),
        "bank.hops.1": (rows, 8),
    }


def rewrite(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> None:
    """Another model's file: arrays or metadata changed, the checksum made anew."""
    path = folder / "model.safetensors"
    metadata, arrays = read_arrays(path)
    change(arrays, metadata)
    write_arrays(path, arrays, metadata)


NEW_SETTINGS = ("start", "code_weight", "start_weight", "propagation_hops")


def test_a_model_of_an_earlier_release_is_as_it_was(backend: str, tmp_path: Path) -> None:
    train, _ = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 0.8)
    model = DTGCNN(backend=backend, **PLAIN)
    Trainer(model, train_loader=train, progress=False).train()
    folder = model.save(tmp_path / "m")

    def age(arrays: dict[str, Any], metadata: dict[str, Any]) -> None:
        assert not [n for n in arrays if n.startswith(("start.", "bank.hops", "bank.gate"))]
        assert "bank.states.0" not in arrays
        for name in NEW_SETTINGS:
            del metadata["config"][name]

    rewrite(folder, age)
    back = DTGCNN.load(folder, backend=backend)
    assert (back.config.start, back.config.propagation_hops) == ("none", 0)
    assert back.start is None
    np.testing.assert_array_equal(back.encode(NEW), model.encode(NEW))
    np.testing.assert_array_equal(back.encode(X), model.encode(X))
    again = DTGCNN.load(back.save(tmp_path / "n"), backend=backend)
    np.testing.assert_array_equal(again.encode(NEW), model.encode(NEW))
    loader, _ = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 1.0)
    Trainer(back, train_loader=loader, progress=False).train()  # and it can be trained on
    assert back.start is None
    assert np.isfinite(back.encode(NEW)).all()


def test_a_start_without_a_relevance_counts_all_directions_alike(
    backend: str, tmp_path: Path
) -> None:
    """So had models of earlier releases."""
    folder = trained(backend, propagation_hops=0, graph_self_weight=1.0).save(tmp_path / "m")
    rewrite(folder, lambda arrays, _: [arrays.pop(f"start.{name}") for name in RELEVANCE])
    back = DTGCNN.load(folder, backend=backend)
    found, ops = host(back), back.ops
    assert back.start is not None
    z, _ = back.start(ops, ops.asarray(unit(NEW).astype(np.float32)))
    np.testing.assert_allclose(ops.to_numpy(z), by_formula(found, NEW)[0], atol=1e-5)
    again = DTGCNN.load(back.save(tmp_path / "n"), backend=backend)
    np.testing.assert_array_equal(again.encode(NEW), back.encode(NEW))


def test_a_model_of_an_earlier_release_has_its_own_width(tmp_path: Path) -> None:
    """Its defaults were written down with it."""
    model = DTGCNN(backend="numpy", **{**PLAIN, "graph_self_weight": None})
    folder = model.save(tmp_path / "m")
    rewrite(folder, lambda _, meta: [meta["config"].pop(name) for name in NEW_SETTINGS])
    back = DTGCNN.load(folder, backend="numpy").config
    assert (back.output_dim, back.graph_self_weight) == (8, None)


RELEVANCE = ("row_relevance", "white_relevance")
ARRAYS = ("mean", "whitening", "rows", "coefficients", "code_scale", "code_norm", "projection")


@pytest.mark.parametrize(
    "name", [*(f"start.{n}" for n in (*ARRAYS, *RELEVANCE)), "bank.gate", "bank.states.0"]
)
def test_an_array_of_the_start_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    folder = trained().save(tmp_path / "m")
    rewrite(folder, lambda arrays, _: arrays.pop(name))
    with pytest.raises(CheckpointError, match=name) as caught:
        DTGCNN.load(folder, backend="numpy")
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *(f"start.{n}" for n in (*ARRAYS, *RELEVANCE)),
        *("bank.gate", "bank.states.0", "bank.hops.0", "bank.hops.1"),
    ],
)
def test_an_array_of_the_start_with_another_shape_is_named(name: str, tmp_path: Path) -> None:
    folder = trained(propagation_hops=2).save(tmp_path / "m")
    wrong = np.zeros((3, 5), np.float32)
    rewrite(folder, lambda arrays, _: arrays.update({name: wrong}))
    with pytest.raises(CheckpointError, match=name) as caught:
        DTGCNN.load(folder, backend="numpy")
    assert str(folder) in str(caught.value)


# -- training on


def test_a_start_that_is_there_is_kept() -> None:
    model = trained()
    before = {name: array.tobytes() for name, array in host(model).items()}
    other_x, other_labels = blobs(classes=3, per_class=30)
    train, val = TripletDataset.from_arrays(other_x + 1, other_labels).create_dataloaders(24, 0.8)
    Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False).train()
    assert {name: array.tobytes() for name, array in host(model).items()} == before
    assert model.bank is not None
    np.testing.assert_array_equal(
        sorted(map(bytes, model.bank.host_x)), sorted(map(bytes, model.vectors(train_rows(train))))
    )
    z, gate = by_formula(host(model), model.bank.host_x)
    np.testing.assert_allclose(model.bank.states[0], z, atol=2e-6)
    np.testing.assert_allclose(model.bank.gate, gate, atol=5e-6)


def train_rows(loader: Any) -> Any:
    return loader.dataset.features[loader.items]


def test_rows_left_out_are_known_of_its_own_rows_alone() -> None:
    model = DTGCNN(backend="numpy", **SETTINGS)
    first = model.fit_start(X, LABELS)
    again = model.fit_start(X, LABELS)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first[1][0], again[1][0])
    assert model.fit_start(X[::2], LABELS[::2]) is None
    assert model.fit_start(X, (LABELS + (np.arange(80) == 7)) % 4) is None


def test_frozen_layers_do_not_move_and_the_head_does(backend: str) -> None:
    train, val = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 0.8)
    model = DTGCNN(backend=backend, **{**SETTINGS, "use_batch_norm": True, "num_epochs": 2})
    model.freeze_gcn_layers()

    def bits() -> dict[str, bytes]:
        leaves = flatten(model.params, "params") | flatten(model.state, "state")
        return {name: model.ops.to_numpy(leaf).tobytes() for name, leaf in leaves.items()}

    before = bits()
    Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False).train()
    moved = {name for name, value in bits().items() if value != before[name]}
    assert moved == {"params.head.weight", "params.head.bias"}
    model.unfreeze_gcn_layers()
    model.freeze_embedding_layer()
    before = bits()
    Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False).train()
    moved = {name for name, value in bits().items() if value != before[name]}
    assert moved
    assert not [name for name in moved if name.startswith("params.head")]


def test_the_weight_of_the_start_keeps_an_embedding_near_it() -> None:
    distances = []
    for weight in (0.0, 1.0, 30.0):
        model = trained(start_weight=weight, num_epochs=10)
        cosines = (model.encode(X) * by_formula(host(model), X)[0]).sum(1)
        distances.append(1.0 - cosines.mean())
    assert distances[0] > distances[1] > distances[2] > 0.0


def test_host_rows_are_started_in_blocks(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(backend)
    whole = [model.ops.to_numpy(array) for array in model.started(X, by_rows=True)]
    monkeypatch.setattr("dtgcnn.model.dtgcnn.DEVICE_ROWS", 7)
    parts = [model.ops.to_numpy(array) for array in model.started(X, by_rows=True)]
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
