"""Several tasks over one embedding: each is learnt, by fixed or by learnt weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNN, Callback, DTGCNNConfig, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.array.tree import flatten, refill
from dtgcnn.errors import DataError
from dtgcnn.evaluation.metrics import retrieval_metrics
from dtgcnn.losses.objective import config_objective
from dtgcnn.model.multitask import cross_entropy, masked_squared_error

from ..conftest import PLAIN, blobs

CONFIG = DTGCNNConfig(**{**PLAIN, "num_epochs": 20, "learning_rate": 1e-2, "weight_decay": 0.0})
HELD_OUT = slice(0, None, 4)


def data() -> tuple[TripletDataset, Any, Any, Any]:
    """Blobs, of which a quarter is held out and a third has no target, and a target that is a
    number of the class: a regression that only a map of the classes can learn."""
    x, labels = blobs(per_class=40)
    splits = ["train"] * len(x)
    splits[HELD_OUT] = ["test"] * len(splits[HELD_OUT])
    dataset = TripletDataset.from_arrays(x, labels, splits)
    targets = np.array([1.0, -1.5, 0.0, 0.5])[labels]
    known = targets.copy()
    known[1::3] = np.nan
    dataset.set_targets(known)
    return dataset, x, labels, targets


def make(backend: str = "numpy", **rest: Any) -> MultiTaskDTGCNN:
    config = rest.pop("config", CONFIG)
    return MultiTaskDTGCNN(
        config, **{"num_classes": 4, "regression": True, "backend": backend, **rest}
    )


def train(model: DTGCNN, dataset: TripletDataset, **rest: Any) -> Trainer:
    loader, val_loader = dataset.create_dataloaders(batch_size=24, train_split=0.9)
    trainer = Trainer(model, train_loader=loader, val_loader=val_loader, progress=False, **rest)
    trainer.train(resume="state_dir" in rest)
    return trainer


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}], ids=str)
def test_every_step_is_the_same_to_a_compiler(
    settings: dict[str, Any], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trees whose names come in another order are compiled anew."""
    model = make(
        backend, config=CONFIG.replace(num_epochs=2, **settings), task_weights="uncertainty"
    )
    seen: dict[str, set[str]] = {}

    def compile(fn: Any) -> Any:
        forms = seen.setdefault(fn.__name__, set())

        def noted(*args: Any) -> Any:
            forms.add(str([form_of(arg) for arg in args]))
            return fn(*args)

        return noted

    monkeypatch.setattr(model.ops, "compile", compile, raising=False)
    train(model, data()[0])
    assert {len(forms) for forms in seen.values() if forms} == {1}


def form_of(tree: Any) -> Any:
    """The names, in order, and the shapes of a tree."""
    if isinstance(tree, dict):
        return [(name, form_of(sub)) for name, sub in tree.items()]
    return getattr(tree, "shape", None)


@pytest.mark.parametrize("weights", [None, "uncertainty", {"triplet": 0.5, "regression": 0.3}])
def test_every_task_is_learnt(weights: Any) -> None:
    dataset, x, labels, targets = data()
    model = make(task_weights=weights)
    trainer = train(model, dataset)
    assert np.mean(model.classify(x[HELD_OUT]) == labels[HELD_OUT]) > 0.85  # chance: 0.25
    off = model(x[HELD_OUT], task="regression") - targets[HELD_OUT]
    assert np.mean(off**2) < 0.35 * np.var(targets)
    for name in ("loss_classification", "loss_regression", "loss_triplet", "val_loss_regression"):
        assert trainer.history[-1][name] < 0.6 * trainer.history[0][name], name
    assert trainer.history[-1]["classification_accuracy"] > 0.85
    if weights is None:
        assert trainer.history[-1]["loss"] == pytest.approx(
            sum(trainer.history[-1][f"loss_{task}"] for task in model.tasks)
        )

    alone = DTGCNN(CONFIG, backend="numpy")
    train(alone, dataset)
    together, single = (
        retrieval_metrics(m.encode(x[HELD_OUT]), labels[HELD_OUT])["map@r"] for m in (model, alone)
    )
    assert together > single - 0.15  # of unlike seeds they differ by 0.06 either way


@pytest.mark.mlx
def test_tasks_are_learnt_with_mlx() -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    dataset, x, labels, _ = data()
    model = make("mlx", task_weights="uncertainty", config=CONFIG.replace(num_epochs=8))
    trainer = train(model, dataset)
    assert np.mean(model.classify(x[HELD_OUT]) == labels[HELD_OUT]) > 0.6
    assert trainer.history[-1]["loss_regression"] < trainer.history[0]["loss_regression"]
    reference = make(task_weights="uncertainty", config=CONFIG.replace(num_epochs=8))
    other = train(reference, dataset)
    first, second = (t.history[0]["loss"] for t in (trainer, other))
    assert first == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_head_of_weight_zero_does_not_move(task: str, backend: str) -> None:
    dataset = data()[0]
    config = CONFIG.replace(num_epochs=1)
    model = make(backend, task_weights={task: 0.0}, config=config)
    before = {n: np.array(v) for n, v in flatten(model.params["tasks"]).items()}
    train(model, dataset)
    for name, leaf in flatten(model.params["tasks"]).items():
        assert np.array_equal(before[name], np.array(leaf)) == name.startswith(task), name


def batch_of(seed: int = 0) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(12, 8))
    targets = rng.normal(size=12)
    targets[[2, 5]] = np.nan
    labels = np.arange(12, dtype=np.int32) % 4
    return z, {"labels": labels, "items": np.arange(12, dtype=np.int32), "targets": targets}


def float64(**rest: Any) -> MultiTaskDTGCNN:
    return make(ops=NumpyOps(dtype="float64"), config=CONFIG.replace(loss="supcon"), **rest)


def test_uncertainty_weights_are_the_papers() -> None:
    model = float64(task_weights="uncertainty")
    ops, objective = model.ops, model.objective(config_objective(model.config))
    s = {"triplet": 0.3, "classification": -0.7, "regression": 1.1}
    params = {**model.params, "tasks": {**model.params["tasks"]}}
    params["tasks"]["log_variance"] = {task: np.array(value) for task, value in s.items()}
    z, batch = batch_of()
    value, metrics, gradients = ops.value_and_grad(lambda p: objective(ops, p, z, batch))(params)
    losses = {task: float(metrics[f"loss_{task}"]) for task in s}
    scale = {"triplet": 1.0, "classification": 1.0, "regression": 0.5}
    weighed = {task: scale[task] * np.exp(-s[task]) * losses[task] for task in s}
    assert float(value) == pytest.approx(sum(weighed[t] + 0.5 * s[t] for t in s), rel=1e-12)
    for task in s:
        slope = float(gradients["tasks"]["log_variance"][task])
        assert slope == pytest.approx(0.5 - weighed[task], rel=1e-10)


@pytest.mark.parametrize("weights", ["uncertainty", {"classification": 0.4, "regression": 3.0}])
def test_gradients_of_the_heads_by_finite_differences(weights: Any) -> None:
    model = float64(task_weights=weights)
    ops, objective = model.ops, model.objective(config_objective(model.config))
    z, batch = batch_of()
    rng = np.random.default_rng(1)
    flat = {n: v + 0.3 * rng.normal(size=v.shape) for n, v in flatten(model.params, "p").items()}

    def value(flat: dict[str, Any]) -> float:
        return float(objective(ops, refill(model.params, flat, "p"), z, batch)[0])

    params = refill(model.params, flat, "p")
    gradients = ops.value_and_grad(lambda p: objective(ops, p, z, batch))(params)[2]
    for name, gradient in flatten(gradients["tasks"], "p.tasks").items():
        way = rng.normal(size=gradient.shape)
        ends = [value({**flat, name: flat[name] + h * way}) for h in (1e-5, -1e-5)]
        slope = (ends[0] - ends[1]) / 2e-5
        assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-9), name
        assert abs(slope) > 1e-6


def test_uncertainty_weights_move_towards_what_they_estimate() -> None:
    dataset = data()[0]
    model = make(task_weights="uncertainty", config=CONFIG.replace(learning_rate=3e-3))
    trainer = train(model, dataset)
    s = {k: float(v) for k, v in model.params["tasks"]["log_variance"].items()}
    last = trainer.history[-1]
    for task, value in s.items():
        half = 0.5 if task == "regression" else 1.0
        best = np.log(2.0 * half * last[f"loss_{task}"])  # where the derivative in s is 0
        assert value != 0.0
        assert np.sign(value) == np.sign(best)


def test_cross_entropy_is_torchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng, ops = np.random.default_rng(0), NumpyOps(dtype="float64")
    logits, labels = 30.0 * rng.normal(size=(9, 5)), rng.integers(0, 5, 9).astype(np.int32)
    theirs = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels, dtype=torch.long))
    loss.backward()
    value, _, gradient = ops.value_and_grad(lambda p: (cross_entropy(ops, p["x"], labels), {}))(
        {"x": logits}
    )
    assert float(value) == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(gradient["x"], theirs.grad.numpy(), atol=1e-14)


def test_rows_without_a_target_count_for_nothing() -> None:
    ops = NumpyOps(dtype="float64")
    values, targets = np.array([1.0, 2.0, 3.0]), np.array([0.0, np.nan, 1.0])
    value, _, gradient = ops.value_and_grad(
        lambda p: (masked_squared_error(ops, p["v"], targets), {})
    )({"v": values})
    assert float(value) == pytest.approx((1.0 + 4.0) / 2.0)
    np.testing.assert_allclose(gradient["v"], [1.0, 0.0, 2.0])
    assert float(masked_squared_error(ops, values, np.full(3, np.nan))) == 0.0

    model = float64(task_weights="uncertainty")
    objective = model.objective(config_objective(model.config))
    z, batch = batch_of()
    batch["targets"] = np.full(12, np.nan)
    gradients = ops.value_and_grad(lambda p: objective(ops, p, z, batch))(model.params)[2]
    assert gradients["tasks"]["log_variance"]["regression"] == 0.0
    assert not gradients["tasks"]["regression"]["weight"].any()
    assert all(np.isfinite(leaf).all() for leaf in flatten(gradients).values())


def test_a_loss_of_ones_own_is_one_of_the_tasks() -> None:
    dataset, x, labels, _ = data()
    model = make()

    def own(ops: Any, embeddings: Any, batch: Any) -> Any:
        return ops.sum(embeddings * embeddings) * 0.0 + 7.0, {"mine": ops.zeros(()) + 3.0}

    last = train(model, dataset, loss=own).history[-1]
    assert last["loss_triplet"] == pytest.approx(7.0)
    assert last["mine"] == last["val_mine"] == pytest.approx(3.0)
    assert np.mean(model.classify(x[HELD_OUT]) == labels[HELD_OUT]) > 0.8


def test_what_each_task_gives(trained: DTGCNN) -> None:
    x = blobs()[0][:5]
    model = make()
    model.build_bank(blobs()[0], [0] * 80)
    z, logits, values = (model(x, task=t) for t in ("triplet", "classification", "regression"))
    assert (z.shape, logits.shape, values.shape) == ((5, 8), (5, 4), (5,))
    np.testing.assert_array_equal(z, model.encode(x))
    np.testing.assert_array_equal(model(x), z)
    head = model.params["tasks"]["classification"]
    np.testing.assert_allclose(logits, z @ head["weight"] + head["bias"], rtol=1e-6)
    np.testing.assert_array_equal(model.classify(x), logits.argmax(axis=1))
    # Where no task is trained, the embedding is that of a model of one task.
    plain = DTGCNN(CONFIG, backend="numpy")
    plain.build_bank(blobs()[0], [0] * 80)
    np.testing.assert_array_equal(plain.encode(x), z)
    with pytest.raises(ValueError, match="task must be one of triplet, classification, received"):
        make(regression=False)(x, task="regression")


@pytest.mark.parametrize(
    "rest", [{"task_weights": "uncertainty"}, {"regression": False, "task_weights": {"triplet": 2}}]
)
def test_a_saved_model_is_loaded_as_it_was(tmp_path: Path, rest: Any, backend: str) -> None:
    dataset, x, _, _ = data()
    model = make(backend, config=CONFIG.replace(num_epochs=1), **rest)
    train(model, dataset)
    model.save(tmp_path / "model")
    loaded = DTGCNN.load(tmp_path / "model", backend=backend)
    assert type(loaded) is MultiTaskDTGCNN
    assert loaded.extras() == model.extras()
    assert loaded.config == model.config
    for task in model.tasks:
        np.testing.assert_array_equal(loaded(x, task), model(x, task))
    for name, leaf in flatten(model.params).items():
        assert np.array_equal(np.array(leaf), np.array(flatten(loaded.params)[name])), name
    train(loaded, dataset)  # and it can be trained on


def test_a_killed_run_is_resumed(tmp_path: Path) -> None:
    class Dies(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == fatal:
                raise InterruptedError

    def run(folder: str) -> dict[str, Any]:
        model = make(task_weights="uncertainty", config=CONFIG.replace(num_epochs=2))
        rest = {"state_dir": tmp_path / folder, "save_every_n_steps": 1, "callbacks": [Dies()]}
        train(model, data()[0], **rest)
        return flatten(model.params)

    fatal = 0
    whole = run("whole")
    fatal = 6
    with pytest.raises(InterruptedError):
        run("cut")
    fatal = 0
    resumed = run("cut")
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_numbers_of_numpy_are_saved(tmp_path: Path) -> None:
    dataset, x, labels, _ = data()
    model = make(num_classes=labels.max() + 1, regression=np.bool_(True))
    train(model, dataset)
    loaded = DTGCNN.load(model.save(tmp_path / "model"), backend="numpy")
    assert isinstance(loaded, MultiTaskDTGCNN)
    np.testing.assert_array_equal(loaded.classify(x), model.classify(x))


def test_what_does_not_fit_is_refused() -> None:
    dataset, x, labels, _ = data()
    with pytest.raises(ValueError, match="num_classes or regression must be given"):
        MultiTaskDTGCNN(CONFIG)
    for count in (1, 3.0, "3", True):
        with pytest.raises(ValueError, match="num_classes must be a whole number of at least 2"):
            make(num_classes=count)
    with pytest.raises(
        ValueError, match="must name triplet, classification, received 'regression'"
    ):
        make(regression=False, task_weights={"regression": 1.0})
    with pytest.raises(ValueError, match="task_weights must be finite and at least 0, received -1"):
        make(task_weights={"triplet": -1})
    with pytest.raises(ValueError, match="weights by task or 'uncertainty', received 'uncertain'"):
        make(task_weights="uncertain")
    with pytest.raises(ValueError, match="above the largest class of the data, 3, received 3"):
        train(make(num_classes=3), dataset)
    bare = TripletDataset.from_arrays(x, labels)
    with pytest.raises(ValueError, match="regression needs targets: call set_targets"):
        train(make(), bare)
    with pytest.raises(DataError, match="finite in float32 or NaN; row 0 is not"):
        bare.set_targets(np.full(len(x), 1e39))
    only_held_out = np.full(len(x), np.nan)
    only_held_out[HELD_OUT] = 1.0
    dataset.set_targets(only_held_out)
    with pytest.raises(ValueError, match="all of the training side's are NaN"):
        train(make(), dataset)


def test_a_validation_side_that_does_not_fit_is_refused(backend: str) -> None:
    """MLX does not look at whether a class is one of the head's."""
    dataset, x, _, _ = data()
    loader, val_loader = dataset.create_dataloaders(batch_size=24, train_split=0.5)
    targets = np.zeros(len(x))
    targets[val_loader.items] = np.nan  # none is known: that is no fault
    dataset.set_targets(targets)
    model = make(backend, config=CONFIG.replace(num_epochs=1))
    trainer = Trainer(model, train_loader=loader, val_loader=val_loader, progress=False)
    trainer.train()
    assert trainer.history[0]["val_loss_regression"] == 0.0
    five = np.arange(len(x)) % 5
    _, val_loader = TripletDataset.from_arrays(x, five).create_dataloaders(24, 0.5)
    with pytest.raises(ValueError, match="above the largest class of the data, 4, received 4"):
        Trainer(model, train_loader=loader, val_loader=val_loader, progress=False).train()


def test_a_model_of_another_class_is_not_taken_for_one(tmp_path: Path) -> None:
    DTGCNN(backend="numpy", **PLAIN).save(tmp_path / "plain")
    with pytest.raises(ValueError, match="must hold a MultiTaskDTGCNN, it holds a DTGCNN"):
        MultiTaskDTGCNN.load(tmp_path / "plain", backend="numpy")
