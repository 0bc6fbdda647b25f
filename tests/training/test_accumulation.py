"""Gradient accumulation: several batches of the loader are one batch, a part at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNN, Callback, DTGCNNConfig, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.array import half_precision
from dtgcnn.array.random import derive_key, split
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.data.batches.join import join
from dtgcnn.data.batches.loader import Batch
from dtgcnn.model.network import Network
from dtgcnn.optim.optimizers import make_optimizer
from dtgcnn.optim.schedules import learning_rate_at
from dtgcnn.training.accumulation import AccumulatedStep
from dtgcnn.training.step import TrainingStep

from ..conftest import PLAIN, blobs, text_triplets

TOGETHER = 4

# With plain descent and no clipping the weights move by the gradient itself.
DESCENT: dict[str, Any] = {
    **PLAIN,
    "num_epochs": 1,
    "dropout_rate": 0.0,
    "optimizer": "sgd",
    "momentum": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 0.5,
    "scheduler": "constant",
    "warmup_epochs": 0,
    "gradient_clip_val": math.inf,
}


class Joined:
    """A loader whose batches are another's, ``TOGETHER`` at a time."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return -(-len(self._loader) // TOGETHER)

    def batches(self, epoch: int, start: int = 0, prefetcher: Any = None) -> Iterator[Batch]:
        batches = list(self._loader.batches(epoch))
        for first in range(start * TOGETHER, len(batches), TOGETHER):
            yield join(batches[first : first + TOGETHER])


def labelled_data() -> TripletDataset:
    """Six batches of 24 rows: a step of four and one of two."""
    dataset = TripletDataset.from_arrays(*blobs(per_class=36))
    targets = np.random.default_rng(1).normal(size=dataset.num_items)
    targets[::3] = np.nan
    dataset.set_targets(targets)
    return dataset


def train(
    dataset: TripletDataset,
    joined: bool,
    backend: str = "numpy",
    model: Any = None,
    **settings: Any,
) -> tuple[dict[str, Any], dict[str, float]]:
    """The weights after an epoch, and its metrics."""
    loader: Any = dataset.create_dataloaders(batch_size=24, train_split=1.0)[0]
    assert len(loader) % TOGETHER != 0, "the last step of the epoch is to be a smaller one"
    model = model or DTGCNN(backend=backend, **{**DESCENT, **settings})
    config = model.config
    if joined:
        loader = Joined(loader)
    else:
        config = config.replace(gradient_accumulation_steps=TOGETHER)
    history = Trainer(model, config, train_loader=loader, progress=False).train()
    return {k: model.ops.to_numpy(v) for k, v in flatten(model.params).items()}, history[-1]


def farthest(first: dict[str, Any], second: dict[str, Any]) -> float:
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


@pytest.mark.parametrize("scope", ["bank", "batch"])
@pytest.mark.parametrize("kind", ["labelled", "triplets"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "supcon"},
        {"loss": "batch_all", "target_margin": 0.4},
        {"mining_strategy": "distance_weighted"},
    ],
    ids=str,
)
def test_cached_gradients_are_those_of_one_batch(scope: str, kind: str, settings: Any) -> None:
    dataset = labelled_data() if kind == "labelled" else text_triplets()
    settings = {**settings, "graph_scope": scope}
    cached, cached_metrics = train(dataset, False, **settings)
    whole, metrics = train(dataset, True, **settings)
    start = flatten(DTGCNN(backend="numpy", **{**DESCENT, **settings}).params)
    assert farthest(whole, start) > 0.01
    assert farthest(cached, whole) < 1e-5
    for name in metrics.keys() - {"seconds"}:
        assert cached_metrics[name] == pytest.approx(metrics[name], abs=2e-5), name


@pytest.mark.mlx
@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_cached_gradients_with_mlx(scope: str) -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    cached, _ = train(labelled_data(), False, "mlx", graph_scope=scope)
    whole, _ = train(labelled_data(), True, "mlx", graph_scope=scope)
    assert farthest(cached, whole) < 1e-5


@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_plain_accumulation_is_the_mean_of_the_batches_own_gradients(scope: str) -> None:
    settings = {"graph_scope": scope, "gradient_accumulation": "plain"}
    settings["gradient_accumulation_steps"] = 3
    dataset = TripletDataset.from_arrays(*blobs(per_class=18))  # three batches: one step
    loader, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    assert len(loader) == 3

    def moved(trainer_loader: Any) -> dict[str, Any]:
        model = DTGCNN(backend="numpy", **{**DESCENT, **settings})
        start = flatten(model.params)
        Trainer(model, train_loader=trainer_loader, progress=False).train()
        return {name: leaf - start[name] for name, leaf in flatten(model.params).items()}

    class Only(Joined):
        """One batch of the epoch alone."""

        def __init__(self, loader: Any, index: int) -> None:
            super().__init__(loader)
            self.index = index

        def __len__(self) -> int:
            return 1

        def batches(self, epoch: int, start: int = 0, prefetcher: Any = None) -> Iterator[Batch]:
            yield list(self._loader.batches(epoch))[self.index]

    apart = [moved(Only(loader, index)) for index in range(3)]
    mean = {name: sum(move[name] for move in apart) / 3.0 for name in apart[0]}
    assert farthest(moved(loader), mean) < 1e-5
    assert farthest(moved(Joined(loader)), mean) > 1e-3  # the negatives of other batches are lost


@pytest.mark.parametrize("weights", ["uncertainty", {"classification": 0.5, "regression": 2.0}])
def test_cached_gradients_of_several_tasks(weights: Any) -> None:
    def model() -> MultiTaskDTGCNN:
        return MultiTaskDTGCNN(
            DTGCNNConfig(**{**DESCENT, "learning_rate": 0.1}),
            num_classes=4,
            regression=True,
            task_weights=weights,
            backend="numpy",
        )

    cached, _ = train(labelled_data(), False, model=model())
    whole, _ = train(labelled_data(), True, model=model())
    start = flatten(model().params)
    assert min(np.abs(whole[n] - start[n]).max() for n in start if n.startswith("tasks.")) > 1e-4
    assert farthest(cached, whole) < 1e-5


@pytest.mark.parametrize("part", ["gcn.", "head.", "gcn.1.linear."])
def test_cached_gradients_with_frozen_parts(part: str) -> None:
    def model() -> DTGCNN:
        model = DTGCNN(backend="numpy", **DESCENT)
        model.freeze(lambda name: name.startswith(part))
        return model

    cached, _ = train(labelled_data(), False, model=model())
    whole, _ = train(labelled_data(), True, model=model())
    assert farthest(cached, whole) < 1e-5
    for name, leaf in flatten(model().params).items():
        assert np.array_equal(leaf, cached[name]) == name.startswith(part)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_cached_gradients_in_half_precision(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half_precision, "INITIAL", 256.0)  # no step is to be skipped
    settings = {"mixed_precision": precision, "loss": "supcon"}
    cached, metrics = train(labelled_data(), False, **settings)
    whole, _ = train(labelled_data(), True, **settings)
    exact, _ = train(labelled_data(), True, loss="supcon")
    # Parts are rounded before they are added up: as near as whole batches are to float32.
    assert 0.0 < farthest(cached, whole) < 2.0 * farthest(whole, exact)
    assert farthest(whole, exact) < (0.01 if precision == "float16" else 0.1)
    assert metrics.get("skipped_steps", 0.0) == 0.0


def test_batch_norm_sees_one_part_at_a_time() -> None:
    cached, _ = train(labelled_data(), False, use_batch_norm=True)
    whole, _ = train(labelled_data(), True, use_batch_norm=True)
    assert farthest(cached, whole) > 1e-4
    in_batch_scope = {"use_batch_norm": True, "graph_scope": "batch"}  # encoded together
    cached, _ = train(labelled_data(), False, **in_batch_scope)
    whole, _ = train(labelled_data(), True, **in_batch_scope)
    assert farthest(cached, whole) < 1e-5


def test_cached_gradients_with_dropout_and_batch_norm_by_finite_differences() -> None:
    ops, rng = NumpyOps(dtype="float64"), np.random.default_rng(0)
    config = DTGCNNConfig(
        **{**PLAIN, "dropout_rate": 0.3, "use_batch_norm": True, "loss": "supcon"}
    )
    network = Network.from_config(config)
    params, state = network.init(ops, 0)
    step = TrainingStep(ops, config, network, make_optimizer("sgd", weight_decay=0.0))
    sources = {"0": rng.normal(size=(30, 12)), "1": rng.normal(size=(30, 16))}
    x, labels = rng.normal(size=(18, 12)), np.arange(18, dtype=np.int32) % 3
    graph = network.constructor.attach(ops, x, sources["0"], np.full(18, -1, np.int32))
    rows = {"x": x, "neighbors": graph.neighbors, "weights": graph.weights, "own": graph.own}
    parts = [{name: leaf[i : i + 6] for name, leaf in rows.items()} for i in range(0, 18, 6)]
    joint = {"labels": labels, "items": np.arange(18, dtype=np.int32)}
    key = np.array(derive_key(1, "test"), np.uint32)

    def loss(params: Any) -> float:
        keys, running, pieces = split(ops, key, len(parts)), state, []
        for part, own_key in zip(parts, keys, strict=True):
            z, running = step.embed(params, running, part, sources, own_key)
            pieces.append(z)
        return float(step.differentiate_loss(params, np.concatenate(pieces), joint)[2]["loss"])

    run = AccumulatedStep(step)
    gradients, new_state, metrics = run.cached(params, state, parts, joint, sources, key)
    assert float(metrics["loss"]) == pytest.approx(loss(params), abs=1e-12)
    assert not np.allclose(new_state["gcn"]["0"]["norm"]["mean"], 0.0)
    for name, gradient in flatten(gradients).items():
        way = rng.normal(size=gradient.shape)

        def shifted(size: float, name: str = name, way: Any = way) -> Any:
            flat = {f"p.{n}": leaf for n, leaf in flatten(params).items()}
            flat[f"p.{name}"] = flat[f"p.{name}"] + size * way
            return refilled(params, flat)

        slope = (loss(shifted(1e-5)) - loss(shifted(-1e-5))) / 2e-5
        assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-7), name


def refilled(params: Any, flat: dict[str, Any]) -> Any:
    from dtgcnn.array.tree import refill

    return refill(params, flat, "p")


class Recorder(Callback):
    """Keeps each step's learning rate, and fails before step ``fatal``."""

    def __init__(self, fatal: int = 0) -> None:
        self.rates: list[float] = []
        self.fatal = fatal

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.rates.append(outputs["learning_rate"])
        if trainer.global_step == self.fatal:
            raise InterruptedError


@pytest.mark.parametrize(("together", "steps"), [(1, 6), (2, 3), (4, 2), (6, 1), (100, 1)])
def test_the_schedule_counts_steps(together: int, steps: int) -> None:
    loader, _ = labelled_data().create_dataloaders(batch_size=24, train_split=1.0)
    settings = {"num_epochs": 3, "gradient_accumulation_steps": together, "learning_rate": 1e-3}
    model, seen = DTGCNN(backend="numpy", **{**PLAIN, **settings}), Recorder()
    trainer = Trainer(model, train_loader=loader, callbacks=[seen], progress=False)
    trainer.train()
    assert (trainer.steps_per_epoch, trainer.global_step) == (steps, 3 * steps)
    expected = [
        learning_rate_at(i, peak=1e-3, total_steps=3 * steps, warmup_steps=steps, schedule="cosine")
        for i in range(3 * steps)
    ]
    assert seen.rates == pytest.approx(expected)


def test_a_run_is_resumed_between_the_steps_of_an_epoch(tmp_path: Path, backend: str) -> None:
    def run(state_dir: Path, fatal: int) -> dict[str, Any]:
        loader, _ = labelled_data().create_dataloaders(batch_size=24, train_split=1.0)
        settings = {**PLAIN, "gradient_accumulation_steps": TOGETHER}
        model = DTGCNN(backend=backend, **settings)
        trainer = Trainer(
            model,
            train_loader=loader,
            callbacks=[Recorder(fatal)],
            progress=False,
            state_dir=state_dir,
            save_every_n_steps=1,
        )
        trainer.train(resume=True)
        return tree_map(model.ops.to_numpy, flatten(model.params))

    whole = run(tmp_path / "whole", 0)
    with pytest.raises(InterruptedError):
        run(tmp_path / "cut", 2)
    resumed = run(tmp_path / "cut", 0)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
