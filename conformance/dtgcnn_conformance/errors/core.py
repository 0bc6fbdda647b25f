"""What the core must refuse whatever the backend: that it is lazy hides nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, MultiTaskDTGCNN, Trainer, TrainingError
from dtgcnn.array import numerics
from dtgcnn.array.backends import available_backends
from dtgcnn.array.ops import Array, ArrayOps, Tree
from dtgcnn.data import TripletDataset, TripletLoader
from dtgcnn.errors import CheckpointError
from dtgcnn.losses import mining
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.objective import objective
from dtgcnn.losses.triplet import FocalTripletLoss, TripletLoss
from dtgcnn.model import layers
from dtgcnn.model.graph import EfficientGraphConstructor
from dtgcnn.storage.files import read_arrays, write_arrays

from ..comparison import ConformanceFailure, require
from ..losses.combinations import BATCHES, accepted, pairings
from ..losses.triplets import EMBEDDINGS, ITEMS, LABELS
from ..probe import Probe, integers, normal, to_device
from ..registry import check
from ..task import LABELS as CLASSES
from ..task import VECTORS, another, config_of, model_of


def refuses(
    what: str, says: str, fn: Callable[..., Any], *args: Any, kind: type[Exception] = ValueError
) -> None:
    """Hold a call to end in an error of this kind, whose message says this."""
    try:
        result = fn(*args)
    except kind as error:
        require(says in str(error), f"{what}: the error must say {says!r}, it says {error}")
        return
    except Exception as error:
        name = f"{type(error).__name__} ({error})"
        raise ConformanceFailure(f"{what} ends in {name}, expected {kind.__name__}") from error
    require(False, f"{what} gives {result}, expected {kind.__name__}")


@check("errors")
def encode_refuses(probe: Probe) -> None:
    """``encode`` refuses rows that are not finite or not ``input_dim`` wide, texts, and no bank."""
    model, many = model_of(probe.ops), np.concatenate([VECTORS] * 5)
    for value in (np.nan, np.inf, -np.inf):
        for row in (0, 17, len(many) - 1):  # the last is in another block
            wrong = many.copy()
            wrong[row, 3] = value
            says = f"row {row} holds nan or infinity"
            refuses(f"encode of {value} in row {row}", says, model.encode, wrong)
    for shape in ((4, 9), (4, 11), (0, 11), (10,), (2, 3, 10)):
        rows = np.zeros(shape, np.float32)
        refuses(f"encode of shape {shape}", "x must have shape (N, input_dim", model.encode, rows)
    refuses("encode of texts", "the model has no text encoder", model.encode, ["a text"])
    untrained = DTGCNN(config_of(), ops=probe.ops)
    refuses("encode without a bank", "the model has no bank yet", untrained.encode, VECTORS)


@check("errors")
def graphs_refuse(probe: Probe) -> None:
    """A graph refuses fewer nodes than its neighbours need."""
    ops, constructor = probe.ops, EfficientGraphConstructor(5)
    for count in (1, 2, 5):
        x = probe.array(normal(count, 4))
        none = ops.asarray(integers([-1] * count), "int32")
        says = "a graph needs 2 at least" if count < 2 else "k must be below the number of nodes"
        for what, fn, args in (
            ("graph", constructor.construct_graph_batch, (ops, x)),
            ("bank", constructor.attach, (ops, x, x, none)),
        ):
            refuses(f"a {what} of {count} nodes", says, fn, *args)
    few, model = VECTORS[[0, 1, 1, 0, 1]], DTGCNN(config_of(), ops=ops)
    refuses("a bank of copies", "the bank has 2 nodes", model.build_bank, few, [0, 1, 1, 0, 1])


@check("errors")
def explicit_mining_refuses(probe: Probe) -> None:
    """``mining_strategy="explicit"`` refuses a batch that names no triplets."""
    given = to_device(probe.ops, BATCHES["labelled unit rows"][1])
    for loss, strategy in pairings():
        config = accepted(loss=loss, mining_strategy=strategy)
        if strategy == "explicit" and config is not None:
            args = (probe.ops, config, probe.array(EMBEDDINGS), given)
            refuses(f"{loss} of no triplets", "'explicit' needs triplets", objective, *args)


@check("errors")
def losses_and_miners_refuse(probe: Probe) -> None:
    """Losses refuse a margin below 0 and unknown names; miners, arguments out of range."""
    for margin in (-0.1, float("nan")):
        for kind in (TripletLoss, FocalTripletLoss, BatchAllTripletLoss):
            refuses(f"{kind.__name__}({margin})", "margin must be above 0", kind, margin)
        refuses(f"a config's margin of {margin}", "triplet_margin must be", _config, margin)
    refuses("an unknown distance", "distance must be one of", TripletLoss, 0.2, "manhattan")
    rows = [probe.array(x) for x in (EMBEDDINGS, LABELS, ITEMS)]
    key = probe.ops.asarray(np.array([1, 2], np.uint32), "uint32")
    draw = mining.distance_weighted
    for what, says, fn, more in (
        ("no positives", "positives must be at least 1", mining.semi_hard_all, (0,)),
        ("draws of no positives", "positives must be at least 1", draw, (0, key)),
        ("cutoffs that fall", "must rise within (0, 2)", draw, (1, key, 1.0, 0.5)),
        ("an unknown negative", "negative must be", mining.easy_positive, ("soft",)),
    ):
        refuses(what, says, fn, probe.ops, *rows, *more)
    says = "initializer must be one of"
    refuses("an unknown initialiser", says, layers.initial_weight, probe.ops, key, 3, 2, "ones")


def _config(margin: float) -> Any:
    return config_of(triplet_margin=margin)


def _loader() -> TripletLoader:
    """Batches of rows of four classes."""
    return TripletDataset.from_arrays(VECTORS, CLASSES).create_dataloaders(16, 1.0)[0]


def _of_nan(ops: ArrayOps, embeddings: Array, batch: Tree) -> Array:
    return ops.sum(embeddings) * float("nan")


def _without_slope(ops: ArrayOps, embeddings: Array, batch: Tree) -> Array:
    """0, with a slope of 0 times infinity."""
    return ops.sum(ops.sqrt(0.0 * embeddings * embeddings))


def _of_rows(ops: ArrayOps, embeddings: Array, batch: Tree) -> Array:
    return ops.sum(embeddings, axis=1)


def _with_metric_of_rows(
    ops: ArrayOps, embeddings: Array, batch: Tree
) -> tuple[Array, dict[str, Array]]:
    return numerics.mean(ops, embeddings), {"rows": ops.sum(embeddings, axis=1)}


@check("errors")
def training_refuses(probe: Probe) -> None:
    """Training stops at a loss or gradient that is not finite and at a loss that is no scalar."""

    def train(loss: Any) -> None:
        model = DTGCNN(config_of(), ops=probe.ops)
        Trainer(model, epochs=1, progress=False, loss=loss).train(_loader())

    for what, says, loss in (
        ("a NaN loss", "the loss is nan at step 1 of epoch 1", _of_nan),
        ("a NaN gradient", "the gradient's norm is nan at step 1 of epoch 1", _without_slope),
    ):
        refuses(what, says, train, loss, kind=TrainingError)
    refuses("a loss of each row", "the loss must be an array of shape ()", train, _of_rows)
    refuses("a metric of each row", "metric 'rows' must be an array", train, _with_metric_of_rows)


@check("errors")
def training_refuses_what_does_not_fit(probe: Probe) -> None:
    """A model is not trained as another one, frozen as a whole, on unknown classes or few rows."""

    def train(model: DTGCNN, **changes: Any) -> None:
        config = model.config.replace(**changes)
        Trainer(model, config, epochs=1, progress=False).train(_loader())

    config, others = config_of(), {"input_dim": 9, "output_dim": 7, "hidden_dims": (12,)}
    for name, value in others.items():
        model, says = DTGCNN(config, ops=probe.ops), f"{name} must be the model's"
        other: dict[str, Any] = {name: value}
        refuses(f"training with another {name}", says, partial(train, **other), model)
    tasks = MultiTaskDTGCNN(config, ops=probe.ops, num_classes=3)
    refuses("a class out of range", "num_classes must be above the largest class", train, tasks)
    crowded = DTGCNN(config_of(graph_k_neighbors=len(VECTORS)), ops=probe.ops)
    refuses("training with too many neighbours", "k must be below the number", train, crowded)
    frozen = DTGCNN(config, ops=probe.ops)
    refuses("freezing nothing", "must hold for one parameter", frozen.freeze, lambda name: False)
    frozen.freeze(lambda name: True)
    refuses("training of nothing", "every parameter is frozen", train, frozen)


@check("errors")
def loading_refuses(probe: Probe) -> None:
    """A saved model is not loaded where an array is missing, or has not the shape of the config."""
    if probe.ops.name not in available_backends():
        return  # a load finds the backend by its name

    def load(without: str = "", **changes: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = model_of(probe.ops).save(Path(folder) / "model") / "model.safetensors"
            metadata, arrays = read_arrays(path)
            metadata["config"].update(changes)
            kept = {name: array for name, array in arrays.items() if name != without}
            write_arrays(path, kept, metadata)
            try:
                DTGCNN.load(path.parent, backend=probe.ops.name)
            finally:
                another(probe.ops)  # MLX computes on the device of the object that was made last

    load()
    for name, value in {"input_dim": 9, "output_dim": 7, "hidden_dims": [12, 11]}.items():
        other: dict[str, Any] = {name: value}
        what = f"loading with another {name}"
        refuses(what, "must have shape", partial(load, **other), kind=CheckpointError)
    for name in ("params.head.weight", "bank.states.1"):
        refuses(f"loading without {name}", f"{name!r}", load, name, kind=CheckpointError)
