"""Optimisers and learning-rate schedules against PyTorch's, over 200 steps in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.optim import lr_scheduler as peers  # noqa: E402

from dtgcnn.optim.optimizers import (  # noqa: E402
    Optimizer,
    adam,
    adamw,
    apply_updates,
    clip_by_global_norm,
    make_optimizer,
    sgd,
)
from dtgcnn.optim.schedules import learning_rate_at  # noqa: E402

OPS = NumpyOps(dtype="float64")
STEPS = 200

OPTIMIZERS: dict[str, tuple[Optimizer, Callable[[Any], Any]]] = {
    "adamw": (adamw(weight_decay=0.05), lambda p: torch.optim.AdamW(p, weight_decay=0.05)),
    "adam": (adam(), torch.optim.Adam),
    "adam, decay": (adam(weight_decay=0.05), lambda p: torch.optim.Adam(p, weight_decay=0.05)),
    "adam, betas": (
        adam(0.8, 0.95, 1e-4, 0.05),
        lambda p: torch.optim.Adam(p, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.05),
    ),
    "sgd": (sgd(), torch.optim.SGD),
    "sgd, decay": (sgd(weight_decay=0.05), lambda p: torch.optim.SGD(p, weight_decay=0.05)),
    "sgd, momentum": (
        make_optimizer("sgd", weight_decay=0.05),
        lambda p: torch.optim.SGD(p, momentum=0.9, weight_decay=0.05),
    ),
    "sgd, nesterov": (
        sgd(0.9, nesterov=True, weight_decay=0.05),
        lambda p: torch.optim.SGD(p, momentum=0.9, nesterov=True, weight_decay=0.05),
    ),
}


@pytest.mark.parametrize("max_norm", [1.0, float("inf")])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_are_torchs(name: str, max_norm: float) -> None:
    optimizer, make_other = OPTIMIZERS[name]
    rng = np.random.default_rng(3)
    targets = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    ours = {k: rng.normal(size=v.shape) for k, v in targets.items()}
    theirs = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in ours.items()}
    state, other = optimizer.init(OPS, ours), make_other(list(theirs.values()))
    for step in range(STEPS):
        rate = 0.02 / (1 + step / 50)
        other.param_groups[0]["lr"] = rate
        gradients = {k: 2.0 * (v - targets[k]) + 0.2 * np.sin(9 * v) for k, v in ours.items()}
        for k, p in theirs.items():
            p.grad = 2.0 * (p.detach() - torch.tensor(targets[k])) + 0.2 * (9 * p.detach()).sin()
        gradients, norm = clip_by_global_norm(OPS, gradients, max_norm)
        total = torch.nn.utils.clip_grad_norm_(list(theirs.values()), max_norm)
        assert OPS.to_numpy(norm) == pytest.approx(total.item(), rel=1e-9)
        updates, state = optimizer.update(OPS, gradients, state, ours, OPS.asarray(rate))
        ours = apply_updates(ours, updates)
        other.step()
        for k, p in theirs.items():
            np.testing.assert_allclose(ours[k], p.detach().numpy(), rtol=1e-9, atol=1e-12)


SCHEDULERS: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda o, n: peers.LambdaLR(o, lambda step: 1.0),
    "linear": lambda o, n: peers.LinearLR(o, 1.0, 0.0, total_iters=n),
    "cosine": lambda o, n: peers.CosineAnnealingLR(o, T_max=n),
    "step": lambda o, n: peers.StepLR(o, step_size=30, gamma=0.3),
    "exponential": lambda o, n: peers.ExponentialLR(o, gamma=0.97),
}


def sgd_at(rate: float) -> Any:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates_of(optimizer: Any, scheduler: Any, steps: int = STEPS) -> list[float]:
    """The learning rates of the first steps."""
    rates = []
    for step in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return rates


def our_rates(schedule: str, warmup_steps: int = 0, **settings: Any) -> list[float]:
    settings = {"total_steps": STEPS, **settings}
    return [
        learning_rate_at(i, peak=0.3, warmup_steps=warmup_steps, schedule=schedule, **settings)
        for i in range(settings["total_steps"])
    ]


@pytest.mark.parametrize("warmup", [0, 2, 20])
@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_schedules_behind_a_warm_up_are_torchs(schedule: str, warmup: int) -> None:
    optimizer = sgd_at(0.3)
    scheduler = SCHEDULERS[schedule](optimizer, STEPS - warmup)
    if warmup:
        optimizer = sgd_at(0.3)
        line = peers.LinearLR(optimizer, 1.0 / warmup, 1.0, total_iters=warmup - 1)
        rest = SCHEDULERS[schedule](optimizer, STEPS - warmup)
        scheduler = peers.SequentialLR(optimizer, [line, rest], milestones=[warmup])
    gamma = {"step": 0.3, "exponential": 0.97}.get(schedule)
    ours = our_rates(schedule, warmup, step_size=30, gamma=gamma)
    np.testing.assert_allclose(ours, rates_of(optimizer, scheduler), rtol=1e-9)


@pytest.mark.parametrize(("schedule", "gamma"), [("step", 0.3), ("exponential", 0.97)])
def test_schedules_by_epoch_are_torchs(schedule: str, gamma: float) -> None:
    optimizer = sgd_at(0.3)
    theirs = rates_of(optimizer, SCHEDULERS[schedule](optimizer, 0), STEPS)
    ours = our_rates(schedule, total_steps=7 * STEPS, steps_per_epoch=7, step_size=30, gamma=gamma)
    np.testing.assert_allclose(ours, np.repeat(theirs, 7), rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10, 100, STEPS])
def test_one_cycle_is_torchs(steps: int) -> None:
    optimizer = sgd_at(0.1)
    theirs = rates_of(optimizer, peers.OneCycleLR(optimizer, max_lr=0.3, total_steps=steps), steps)
    np.testing.assert_allclose(our_rates("one_cycle", total_steps=steps), theirs, rtol=1e-9)
