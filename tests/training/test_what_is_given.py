"""What a trainer is given by position, and an optimiser and a schedule of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.array import tree_map
from dtgcnn.array.tree import flatten
from dtgcnn.optim import Optimizer, make_optimizer

from ..conftest import PLAIN, blobs


def loaders() -> Any:
    return TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 0.8)


def test_loaders_by_position() -> None:
    train, val = loaders()
    model = DTGCNN(backend="numpy", **PLAIN)
    config = model.config.replace(num_epochs=1)
    for given in ((train, val), (None, train, val), (config, train, val), (config, train)):
        trainer = Trainer(model, *given, progress=False)
        assert trainer.train_loader is train
        assert trainer.val_loader is (val if val in given else None)
        assert trainer.config == (config if config in given else model.config)
    assert Trainer(model, train, val_loader=val).val_loader is val
    history = Trainer(model, train, val, epochs=1, progress=False).train()
    assert len(history) == 1
    assert "val_loss" in history[0]


def test_what_cannot_be_by_position_is_refused() -> None:
    train, val = loaders()
    model = DTGCNN(backend="numpy", **PLAIN)
    with pytest.raises(ValueError, match="train_loader must be given once"):
        Trainer(model, train, train_loader=val)
    with pytest.raises(ValueError, match="loaders must be two at most, received 3 by position"):
        Trainer(model, train, val, val)
    with pytest.raises(ValueError, match="train_loader must be a TripletLoader"):
        Trainer(model, [1, 2])  # type: ignore[arg-type]
    for no_model in ("model", train):
        with pytest.raises(ValueError, match="model must be a DTGCNN, received"):
            Trainer(no_model, train)  # type: ignore[arg-type]


def sign_descent() -> Optimizer:
    """``p ← p − lr · sign(g)``, which counts its steps."""

    def init(ops: Any, params: Any) -> Any:
        return {"steps": ops.zeros(())}

    def update(ops: Any, gradients: Any, state: Any, params: Any, rate: Any) -> Any:
        def move(g: Any) -> Any:
            return ops.where(g > 0, -rate, ops.where(g < 0, rate, 0.0 * rate))

        return tree_map(move, gradients), {"steps": state["steps"] + 1.0}

    return Optimizer(init, update)


def train(backend: str, state_dir: Path | None = None, **options: Any) -> Trainer:
    settings = options.pop("settings", {})
    model = DTGCNN(backend=backend, **{**PLAIN, **settings})
    trainer = Trainer(
        model, *loaders(), keep_best=False, progress=False, state_dir=state_dir, **options
    )
    trainer.train()
    return trainer


def test_an_optimiser_of_ones_own_takes_the_steps(backend: str) -> None:
    before = flatten(DTGCNN(backend=backend, **PLAIN).params)
    trainer = train(backend, optimizer=sign_descent(), scheduler=lambda step: 0.5**step, epochs=1)
    steps = trainer.global_step
    assert steps > 1
    moved = [
        np.abs(np.asarray(leaf) - np.asarray(before[name]))
        for name, leaf in flatten(trainer.model.params).items()
    ]
    largest = max(float(move.max()) for move in moved)
    assert largest == pytest.approx(2.0 - 2.0 ** (1 - steps), rel=1e-5)  # 1 + 1/2 + 1/4 + …
    assert trainer.history[0]["learning_rate"] == pytest.approx((2 - 2.0 ** (1 - steps)) / steps)


def test_the_configs_optimiser_as_an_object_gives_the_same_bits(backend: str) -> None:
    settings = {
        "optimizer": "sgd",
        "weight_decay": 0.01,
        "scheduler": "constant",
        "warmup_epochs": 0.0,
    }
    named = train(backend, settings={**settings, "learning_rate": 0.05, "warmup_epochs": 0.0})
    given = train(
        backend,
        optimizer=make_optimizer("sgd", weight_decay=0.01),
        scheduler=lambda step: 0.05,
    )
    for one, other in zip(
        flatten(named.model.params).values(), flatten(given.model.params).values(), strict=True
    ):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_names_and_bad_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="optimizer must have the functions init and update"):
        train("numpy", optimizer="adam")
    with pytest.raises(ValueError, match="scheduler must be a function of the step"):
        train("numpy", scheduler="cosine")
    with pytest.raises(ValueError, match="scheduler must give rates that are finite"):
        train("numpy", scheduler=lambda step: float("nan"))
    with pytest.raises(ValueError, match=r"scheduler must give rates that .*, received None"):
        train("numpy", scheduler=lambda step: None)
    for steps in (0, 2.5, "3"):
        with pytest.raises(ValueError, match="save_every_n_steps must be a whole number of at"):
            Trainer(DTGCNN(backend="numpy", **PLAIN), save_every_n_steps=steps, state_dir="s")  # type: ignore[arg-type]


def test_a_run_resumes_with_the_same_optimiser_only(tmp_path: Path) -> None:
    trainer = train("numpy", tmp_path, optimizer=sign_descent())
    model = DTGCNN(backend="numpy", **PLAIN)
    other = Trainer(model, *loaders(), progress=False, state_dir=tmp_path)
    with pytest.raises(ValueError, match="as in the run to be resumed"):
        other.train(resume=True)
    again = Trainer(model, *loaders(), progress=False, state_dir=tmp_path, optimizer=sign_descent())
    assert len(again.train(resume=True)) == len(trainer.history)
