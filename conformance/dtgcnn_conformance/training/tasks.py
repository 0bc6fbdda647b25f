"""Training with several tasks, and in an order of difficulty."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from dtgcnn.array.ops import Tree
from dtgcnn.model.multitask import MultiTaskDTGCNN
from dtgcnn.training.curriculum import CurriculumScheduler

from ..comparison import require
from ..lock_step import lock_step
from ..probe import Probe, normal, to_device, to_host
from ..registry import check
from ..task import Task, rounded, task_of
from .accumulation import QUARTERS, UNEVEN, hold_parts


def several_tasks(probe: Probe, weights: Any, **settings: Any) -> Task:
    """A task with heads for classification and regression."""
    make = partial(MultiTaskDTGCNN, num_classes=4, regression=True, task_weights=weights)
    return task_of(probe.reference, make=make, **settings)


FIXED = {"triplet": 1.0, "classification": 0.5, "regression": 2.0}


@check("training")
def several_tasks_together(probe: Probe) -> None:
    """Steps of three tasks, weighed by numbers or by what is learnt, are the reference's."""
    for weights in (FIXED, "uncertainty"):
        for scope in ("batch", "bank"):
            lock_step(probe, several_tasks(probe, weights, graph_scope=scope), 5)


@check("training")
def several_tasks_in_parts(probe: Probe) -> None:
    """Cached gradients hold for parameters that the loss uses itself, as the tasks' heads are."""
    for weights in (FIXED, "uncertainty"):
        settings: dict[str, Any] = {"graph_scope": "bank", "dropout_rate": 0.0}
        task = several_tasks(probe, weights, **settings)
        for bounds in (QUARTERS, UNEVEN):
            hold_parts(probe, f"three tasks weighed by {weights}", task, bounds)


S = {"classification": 0.5, "regression": -0.25, "triplet": 0.125}
"""Weights that were learnt."""


def first_step(probe: Probe, task: Task, known: bool) -> tuple[Tree, Tree]:
    """Gradients and metrics of the backend's first step, from the weights ``S`` where they are
    learnt; without a target where none is known."""
    ops, held = probe.ops, rounded(task.start, probe.ops.dtype)
    if "log_variance" in held["params"]["tasks"]:
        held["params"]["tasks"]["log_variance"] = {t: np.array(s) for t, s in S.items()}
    given = task.arguments(0)
    if not known:
        given["batch"]["targets"] = np.nan * given["batch"]["targets"]
    p, given = to_device(ops, held), to_device(ops, given)
    batch, sources, key = (given[name] for name in ("batch", "sources", "key"))
    gradients, _, metrics = task.stepper(ops).differentiate(
        p["params"], p["state"], batch, sources, key
    )
    return to_host(ops, gradients), to_host(ops, metrics)


@check("training")
def weights_of_tasks(probe: Probe) -> None:
    """``Σ w L`` of fixed weights; ``Σ exp(−s) L + s / 2`` and its gradient of learnt ones."""
    for known in (True, False):
        for learnt in (True, False):
            weights: Any = "uncertainty" if learnt else FIXED
            task = several_tasks(probe, weights, graph_scope="bank")
            gradients, metrics = first_step(probe, task, known)
            used = [t for t in S if known or t != "regression"]
            losses = {t: float(metrics[f"loss_{t}"]) for t in S}
            scale = {t: (0.5 if t == "regression" else 1.0) * np.exp(-s) for t, s in S.items()}
            terms = {t: scale[t] * losses[t] + 0.5 * S[t] for t in used}
            slopes = {t: np.array(0.5 - scale[t] * losses[t] if t in used else 0.0) for t in S}
            if not learnt:
                terms = {t: FIXED[t] * losses[t] for t in used}
            what = f"tasks weighed by {weights}, targets known: {known}"
            total = np.asarray(sum(terms.values()))
            probe.values(f"loss of {what}", probe.array(metrics["loss"]), total)
            own = gradients["tasks"]
            if learnt:
                device = to_device(probe.ops, own["log_variance"])
                probe.gradients(f"gradient of the weights of {what}", device, slopes)
            require((losses["regression"] > 0.0) == known, f"{what}: {losses}")
            learns = bool(own["regression"]["weight"].any())
            require(learns == known, f"{what}: the regression head learns: {learns}")


@check("training")
def difficulties_of_triplets(probe: Probe) -> None:
    """A curriculum scores triplets by ``cos(a, n) − cos(a, p)``, and takes the easiest first."""
    ops, x = probe.ops, 3.0 * normal(9, 5, seed=3)
    x[4] = 0.0
    items = np.array([2, 3, 5, 7, 11, 13, 17, 19, 23])
    places = np.array([[0, 1, 2], [3, 4, 5], [8, 7, 6], [0, 1, 2], [6, 0, 3], [1, 8, 2], [0, 1, 2]])
    trainer: Any = SimpleNamespace(
        train_loader=SimpleNamespace(items=items, triplets=items[places]),
        model=SimpleNamespace(ops=ops),
        embed_side=lambda loader: x.astype(ops.dtype),
    )
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0.0, length, 1.0)
    a, p, n = (unit[places[:, i]] for i in range(3))
    wanted = (a * n).sum(axis=1) - (a * p).sum(axis=1)
    for cumulative in (True, False):
        schedule = CurriculumScheduler(2, cumulative=cumulative)
        schedule.difficulties = schedule.compute_triplet_difficulties(trainer)
        probe.values("difficulties", probe.array(schedule.difficulties), wanted)
        order = np.argsort(schedule.difficulties, kind="stable")
        for stage, rows in enumerate((order[:4], order if cumulative else order[4:])):
            schedule.current_stage = stage
            chosen = schedule.get_stage_data(trainer).tolist()
            what = f"stage {stage} of 2, cumulative={cumulative}"
            require(chosen == rows.tolist(), f"{what} takes {chosen}, expected {rows.tolist()}")
