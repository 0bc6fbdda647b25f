"""Half precision, the loss scale, and layers computed again in the backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, Trainer, TrainingError, TripletDataset
from dtgcnn.array import half_precision, numerics
from dtgcnn.array.tree import flatten
from dtgcnn.model.layers import GCNLayer
from dtgcnn.training.training_run import TrainingRun

from ..conftest import PLAIN, blobs

HALVES = ["float16", "bfloat16"]
DESCENT: dict[str, Any] = {
    **PLAIN,
    "num_epochs": 1,
    "optimizer": "sgd",
    "momentum": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 0.01,
    "scheduler": "constant",
    "warmup_epochs": 0,
    "gradient_clip_val": float("inf"),
}


class Steps(Callback):
    """Keeps each step's metrics and the weights that it left."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, float]] = []
        self.weights: list[dict[str, Any]] = []

    def on_train_begin(self, trainer: Trainer) -> None:
        self._keep(trainer)

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.outputs.append(outputs)
        self._keep(trainer)

    def _keep(self, trainer: Trainer) -> None:
        model = trainer.model
        leaves = flatten({"params": model.params, "state": model.state})
        self.weights.append({name: model.ops.to_numpy(leaf) for name, leaf in leaves.items()})


def train(backend: str, own_loss: Any = None, **settings: Any) -> tuple[Steps, Trainer]:
    dataset = TripletDataset.from_arrays(*blobs(per_class=24))
    loader, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    model = DTGCNN(backend=backend, **(settings if "optimizer" in settings else DESCENT | settings))
    steps = Steps()
    trainer = Trainer(model, train_loader=loader, callbacks=[steps], progress=False, loss=own_loss)
    trainer.train()
    return steps, trainer


def moves(steps: Steps) -> dict[str, Any]:
    """How far the first step moved the parameters: by plain descent, the gradient."""
    return {
        name: steps.weights[1][name] - leaf
        for name, leaf in steps.weights[0].items()
        if name.startswith("params.")
    }


def times(factor: float) -> Any:
    """A loss that draws each embedding to the mean of its class, ``factor`` times."""

    def loss(ops: Any, embeddings: Any, batch: Any) -> Any:
        same = ops.astype(batch["labels"][:, None] == batch["labels"][None, :], ops.dtype)
        centres = same @ ops.stop_gradient(embeddings) / ops.sum(same, axis=1, keepdims=True)
        return factor * numerics.mean(ops, ops.sum((embeddings - centres) ** 2, axis=1))

    return loss


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_gradients_are_rounded_and_weights_are_not(
    precision: str, scope: str, backend: str
) -> None:
    # No hinge or mined row: those could be others after rounding.
    settings = {"loss": "supcon", "temperature": 1.0, "graph_scope": scope}
    half, trainer = train(backend, mixed_precision=precision, **settings)
    whole, _ = train(backend, **settings)
    exact, rounded = moves(whole), moves(half)
    for name, move in exact.items():
        off = np.linalg.norm(rounded[name] - move) / np.linalg.norm(move)
        unit = 2.0**-11 if precision == "float16" else 2.0**-8
        assert 0.02 * unit < off < 30.0 * unit, name
        weights = half.weights[-1][name]
        assert weights.dtype == np.float32
        through = weights.astype(np.float16).astype(np.float32)
        assert not np.array_equal(weights, through)
    embeddings = trainer.model.encode(blobs()[0])
    assert embeddings.dtype == np.float32


@pytest.mark.parametrize("precision", HALVES)
def test_optimiser_state_is_float32(precision: str, backend: str) -> None:
    dataset = TripletDataset.from_arrays(*blobs())
    loader, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    model = DTGCNN(backend=backend, **{**PLAIN, "mixed_precision": precision})
    run = TrainingRun(model, model.config, loader, blobs()[0])
    run.step(next(run.groups(1)), 1)
    arrays = run.state_dict()[1]
    assert "optimizer.m" in arrays
    assert {array.dtype.name for array in arrays.values()} == {"float32"}
    assert ("optimizer.loss_scale" in arrays) == (precision == "float16")


@pytest.mark.parametrize("precision", HALVES)
def test_half_precision_learns(precision: str, backend: str) -> None:
    settings = {**PLAIN, "num_epochs": 10, "optimizer": "adamw", "learning_rate": 3e-3}
    _, trainer = train(backend, mixed_precision=precision, **settings)
    losses = [metrics["loss"] for metrics in trainer.history]
    exact = [metrics["loss"] for metrics in train(backend, **settings)[1].history]
    assert losses[-1] < 0.75 * losses[0]
    assert losses[-1] == pytest.approx(exact[-1], rel=0.25)


def test_steps_that_overflow_are_skipped_and_counted(backend: str) -> None:
    # AdamW's decay and moments would move weights without a gradient, too.
    settings = {**PLAIN, "optimizer": "adamw", "weight_decay": 0.5, "num_epochs": 3}
    settings |= {"mixed_precision": "float16", "warmup_epochs": 0, "scheduler": "constant"}
    settings["use_batch_norm"] = True
    steps, trainer = train(backend, times(300.0), **settings)
    skipped = [out["skipped_steps"] for out in steps.outputs]
    scales = [out["loss_scale"] for out in steps.outputs]
    assert skipped[0] == 1.0
    assert skipped[-1] == 0.0
    for number, lost in enumerate(skipped):
        before, after = (steps.weights[number + i] for i in (0, 1))
        still = {name: np.array_equal(before[name], after[name]) for name in before}
        params = [name for name in before if name.startswith("params.")]
        assert all(still.values()) if lost else not any(still[name] for name in params)
        expected = 65536.0 * 0.5 ** sum(skipped[:number])
        assert scales[number] == expected
        assert (steps.outputs[number]["gradient_norm"] == 0.0) == bool(lost)
    counted = [metrics["skipped_steps"] for metrics in trainer.history]
    assert counted == [sum(skipped[:4]), sum(skipped[4:8]), sum(skipped[8:])]
    assert all(np.isfinite(list(steps.weights[-1][name])).all() for name in params)


def test_skipped_steps_are_counted_in_accumulation(backend: str) -> None:
    settings = {"mixed_precision": "float16", "gradient_accumulation_steps": 2, "num_epochs": 6}
    settings["use_batch_norm"] = True
    for kind in ("cached", "plain"):
        steps, trainer = train(backend, times(300.0), gradient_accumulation=kind, **settings)
        assert steps.outputs[0]["skipped_steps"] == 1.0
        first, second = steps.weights[:2]
        assert all(np.array_equal(first[name], second[name]) for name in first)
        counted = sum(metrics["skipped_steps"] for metrics in trainer.history)
        assert counted == sum(out["skipped_steps"] for out in steps.outputs) > 1.0
        assert steps.outputs[-1]["loss_scale"] == 65536.0 * 0.5**counted


def test_the_scale_grows_after_steps_without_overflow(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(half_precision, "GROWTH_INTERVAL", 3)
    monkeypatch.setattr(half_precision, "INITIAL", 4.0)
    steps, _ = train(backend, mixed_precision="float16", num_epochs=2)
    assert [out["loss_scale"] for out in steps.outputs] == [4.0] * 3 + [8.0] * 3 + [16.0] * 2


def test_small_gradients_vanish_without_the_scale(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    settings = {"mixed_precision": "float16", "learning_rate": 1e6}
    scaled = moves(train(backend, times(1e-6), **settings)[0])["params.gcn.0.linear.weight"]
    monkeypatch.setattr(half_precision, "INITIAL", 1.0)
    lost = moves(train(backend, times(1e-6), **settings)[0])["params.gcn.0.linear.weight"]
    exact = moves(train(backend, times(1e-6), learning_rate=1e6)[0])["params.gcn.0.linear.weight"]
    assert np.linalg.norm(scaled - exact) < 0.05 * np.linalg.norm(exact)
    assert np.linalg.norm(lost - exact) > 0.3 * np.linalg.norm(exact)


def test_a_loss_that_overflows_at_every_scale_is_refused(backend: str) -> None:
    with pytest.raises(TrainingError, match=r"gradients are not finite at step .* of epoch"):
        train(backend, times(1e7), mixed_precision="float16", num_epochs=10)


@pytest.mark.parametrize("scope", ["bank", "batch"])
@pytest.mark.parametrize("precision", [False, "float16"])
def test_checkpointing_gives_the_same_gradients(scope: str, precision: Any, backend: str) -> None:
    settings = {"dropout_rate": 0.3, "use_batch_norm": True, "graph_scope": scope}
    settings |= {"mixed_precision": precision, "loss": "supcon", "temperature": 1.0}
    kept, _ = train(backend, **settings)
    again, _ = train(backend, gradient_checkpointing=True, **settings)
    for step, wanted in zip(again.weights, kept.weights, strict=True):
        for name, leaf in wanted.items():
            np.testing.assert_allclose(step[name], leaf, rtol=0.0, atol=1e-6, err_msg=name)


@pytest.mark.mlx
def test_mlx_computes_a_checkpointed_layer_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    calls, call = [0], GCNLayer.__call__

    def counted(self: GCNLayer, *args: Any, **rest: Any) -> Any:
        calls[0] += 1
        return call(self, *args, **rest)

    monkeypatch.setattr(GCNLayer, "__call__", counted)
    counts = []
    for again in (False, True):
        calls[0] = 0
        train("mlx", gradient_checkpointing=again)
        counts.append(calls[0])
    assert counts[1] - counts[0] == 4 * 2  # steps times layers
