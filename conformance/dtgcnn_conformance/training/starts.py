"""Training that begins at a closed-form start: what a step is given, and what it minimises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.array.ops import HostArray, Tree
from dtgcnn.data import TripletDataset
from dtgcnn.training.step_inputs import TrainingInputs

from ..comparison import require
from ..graph.construction import dense_attachment, dense_lists
from ..layers.agreement import disturbed
from ..layers.start import by_definition, unit
from ..lock_step import lock_step
from ..probe import Probe, to_device, to_host
from ..registry import check
from ..task import LABELS, ROWS_OF_X, VECTORS, Task, config_of, rounded, task_of
from .accumulation import HALVES, QUARTERS, UNEVEN, hold_parts

ROWS = VECTORS.astype(np.float64)
STARTED: dict[str, Any] = {"start": "closed_form", "graph_scope": "bank"}


def lists_of(batch: Tree, sources: int) -> tuple[HostArray, HostArray]:
    """The links of a batch's rows as a matrix, and the shares of the rows themselves."""
    links = np.zeros((len(batch["x"]), sources))
    rows = np.arange(len(links))[:, None]
    np.add.at(links, (rows, batch["neighbors"]), batch["weights"])
    return links, batch["own"]


@check("training")
def rows_that_stand_twice(probe: Probe) -> None:
    """Each row stands in a batch as an anchor that does not know its label, then as it is."""
    data = TripletDataset.from_arrays(VECTORS, LABELS.tolist())
    loader = data.create_dataloaders(16, 1.0)[0]
    model = DTGCNN(config_of(**STARTED), ops=probe.ops)
    inputs = TrainingInputs(model, model.config, loader, VECTORS)
    assert model.start is not None
    fitted = model.fit_start(VECTORS[loader.items], loader.labels)
    assert fitted is not None
    known, left_out = fitted
    arrays = {n: a.astype(np.float64) for n, a in to_host(probe.ops, model.start.arrays).items()}
    defined = by_definition(unit(ROWS[loader.items]), arrays)
    for name, made, expected in zip(("rows", "gates"), known, defined):
        off = float(np.abs(made - expected).max())
        require(off < 1e-5, f"{name} of the fit are off by {off:.1e}")
    z, gates = (array.astype(np.float64) for array in known)
    batch = next(iter(loader.batches(0)))
    places = np.array([int(np.flatnonzero(loader.items == item)[0]) for item in batch.items])
    given = inputs.rows(batch.items)
    require(given.keys() == set(ROWS_OF_X), f"of the rows there are {sorted(given)}")
    for first, x, gate in ((0, left_out[0], left_out[1]), (1, z, gates)):
        half = {name: leaf[first::2] for name, leaf in to_host(probe.ops, given).items()}
        what = "as anchors" if first == 0 else "as they are"
        probe.values(f"rows {what}", probe.array(half["x"]), x[places].astype(np.float64))
        probe.values(f"gates {what}", probe.array(half["gate"]), gate[places].astype(np.float64))
        constructor, exclude = model.network.constructor, places.astype(np.int32)
        lists = dense_lists(unit(half["x"].astype(np.float64)) @ unit(z).T, constructor, exclude)
        expected = dense_attachment(lists, constructor.self_weight)
        for actual, wanted in zip(lists_of(half, len(z)), expected):
            probe.values(f"links {what}", probe.array(actual.astype(probe.ops.dtype)), wanted)
    rest = to_host(probe.ops, inputs.loss_arrays(batch, 1, 0))
    twice: dict[str, HostArray] = {"labels": batch.labels.repeat(2), "items": batch.items.repeat(2)}
    twice["anchors"] = np.arange(2 * len(batch.items)) % 2 == 0
    for name, wanted in twice.items():
        require(rest[name].tolist() == wanted.tolist(), f"{name} are {rest[name].tolist()}")


KINDS: tuple[dict[str, Any], ...] = (
    {"mining_strategy": "auto"},
    {"mining_strategy": "auto", "graph_self_weight": "adaptive", "gradient_clip_val": 0.5},
    {"mining_strategy": "explicit", "triplets": True},
    {"mining_strategy": "distance_weighted", "use_batch_norm": True},
    {"loss": "supcon", "start_weight": 0.25, "uniformity_weight": 0.1},
    {"loss": "batch_all", "normalize_output": False},
    {"loss": "multi_similarity", "code_weight": 0.0},
    {"loss": "supcon", "graph_scope": "batch"},
)
"""Settings of training from a start; the last two have each row in a batch once."""


@check("training")
def steps_from_a_start(probe: Probe) -> None:
    """Steps that begin at a start, of rows that stand twice or once, are the reference's."""
    for kind in KINDS:
        task = task_of(probe.reference, **{**STARTED, **kind})
        once = "code_weight" in kind or kind.get("graph_scope") == "batch"
        require(task.copies == (1 if once else 2), f"{kind}: a row stands {task.copies} times")
        lock_step(probe, task, 5)


def _of_rows(probe: Probe, task: Task, z: HostArray) -> tuple[HostArray, HostArray]:
    """The loss of a batch whose embeddings are ``z``, and its gradient in them, on the host."""
    p = to_device(probe.ops, rounded(task.start, probe.ops.dtype))
    batch = to_device(probe.ops, task.arguments(0)["batch"])
    step = task.stepper(probe.ops)
    _, gradient, metrics = step.differentiate_loss(p["params"], probe.array(z), batch)
    host = map(probe.ops.to_numpy, (metrics["loss"], gradient))
    loss, slope = (array.astype(np.float64) for array in host)
    return loss, slope


@check("training")
def start_is_kept_near(probe: Probe) -> None:
    """``start_weight`` adds ``w (1 − mean cos(f, x))`` to the loss, and its gradient."""
    for normalize in (True, False):
        kind: dict[str, Any] = {**STARTED, "normalize_output": normalize}
        weights = (0.0, 1.0, 2.5)
        tasks = [task_of(probe.reference, **kind, start_weight=w) for w in weights]
        x = tasks[0].arguments(0)["batch"]["x"].astype(np.float64)
        z = x + 0.3 * np.random.default_rng(5).standard_normal(x.shape)
        z = (z if not normalize else unit(z)).astype(np.float32).astype(np.float64)
        # What is at unit length already is not brought there again: the network's own step to it
        # takes the part along z off.
        length = 1.0 if normalize else np.linalg.norm(z, axis=1, keepdims=True)
        cosines = (z / length * x).sum(axis=1, keepdims=True)
        slope = -(x if normalize else (x - cosines * z / length) / length) / len(x)
        results = [_of_rows(probe, task, z) for task in tasks]
        for weight, (loss, gradient) in zip(weights, results):
            what = f"with a weight of {weight}, normalize_output={normalize}"
            wanted = results[0][0] + weight * (1.0 - cosines.mean())
            probe.values(f"loss {what}", probe.array(loss), np.asarray(wanted))
            expected = results[0][1] + weight * slope
            probe.gradients(f"gradient {what}", probe.array(gradient), expected)


@check("training")
def plain_steps_keep_nothing(probe: Probe) -> None:
    """Without a start there is no gate and nothing that is kept near."""
    task = task_of(probe.reference, graph_scope="bank")
    batch = task.arguments(0)["batch"]
    require("gate" not in batch and "anchors" not in batch, f"the batch holds {sorted(batch)}")
    z = unit(np.random.default_rng(5).standard_normal((16, 8)))
    z = z.astype(np.float32).astype(np.float64)
    loss, _ = _of_rows(probe, task, z)
    given, rows = to_device(probe.reference, batch), probe.reference.asarray(z)
    value, _ = task.objective(probe.reference, {}, rows, given)
    probe.values("the loss", probe.array(loss), probe.reference.to_numpy(value))


@check("training")
def cached_gradients_from_a_start(probe: Probe) -> None:
    """With cached gradients a batch of rows that stand twice has the gradient of the whole."""
    kinds: tuple[dict[str, Any], ...] = ({}, {"loss": "supcon", "start_weight": 3.0})
    for kind in kinds:
        task = task_of(probe.reference, **STARTED, dropout_rate=0.0, **kind)
        batch = task.arguments(0)["batch"]
        require(all(len(batch[name]) == 32 for name in ROWS_OF_X), "rows do not stand twice")
        # The first head, which is 0, would leave the other layers no gradient.
        start = {**task.start, "params": disturbed(task.start["params"])}
        task = replace(task, start=start)
        for bounds in (HALVES, QUARTERS, UNEVEN):
            doubled = tuple(2 * bound for bound in bounds)
            hold_parts(probe, f"{kind} in {len(bounds) - 1} parts", task, doubled)
