"""The same again: from the same seed and key, from another object of the backend, in other company.

On a CPU again is the same bits. Another device may add in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np

from dtgcnn import DTGCNN, Trainer
from dtgcnn.array import numerics, random
from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.array.tree import flatten
from dtgcnn.config.choices import Initializer
from dtgcnn.data import TripletDataset
from dtgcnn.model import ENCODE_ROWS
from dtgcnn.model.network import Network

from ..comparison import require
from ..losses.combinations import BATCHES, accepted, pairings
from ..losses.objectives import differentiated
from ..probe import Probe, integers, normal, to_device, to_host
from ..registry import check
from ..task import LABELS, VECTORS, Task, another, config_of, model_of, rounded, task_of
from ..tolerances import IN_PARTS

_SCOPES = ("batch", "bank")
_CLASSES = [int(label) for label in LABELS]


def hold(probe: Probe, what: str, again: Tree, first: Tree, bits: bool = False) -> None:
    """Hold the backend's arrays to those that came first, which are the host's."""
    if bits or probe.ops.device == "cpu":
        probe.same_bits(f"{what}, again", again, first)
    else:
        probe.relative(f"{what}, again", again, first, IN_PARTS[probe.ops.dtype])


def hold_again(probe: Probe, what: str, fn: Callable[[ArrayOps], Tree], bits: bool = False) -> Tree:
    """Hold ``fn(ops)``, arrays of the backend, to itself: once more, and from another object.

    Returns the first ones, on the host. With ``bits`` they are the same bits on any device.
    """
    first: Tree = to_host(probe.ops, fn(probe.ops))
    for ops in (probe.ops, another(probe.ops)):
        hold(probe, what, fn(ops), first, bits)
    return first


@check("determinism")
def initial_weights_again(probe: Probe) -> None:
    """A seed gives the same initial weights, bit for bit, and another seed gives others."""
    for initializer in get_args(Initializer):
        network = Network.from_config(config_of(initializer=initializer, use_batch_norm=True))

        def initial(ops: ArrayOps, seed: int = 5, network: Network = network) -> Tree:
            return dict(zip(("params", "state"), network.init(ops, seed)))

        first = hold_again(probe, f"initial weights, {initializer}", initial, bits=True)
        others = flatten(to_host(probe.ops, initial(probe.ops, 6)))
        for name, leaf in flatten(first).items():
            if name.endswith(("linear.weight", "head.weight")):
                differs = not np.array_equal(leaf, others[name])
                require(differs, f"two seeds give one {name}, {initializer}")


@check("determinism")
def random_numbers_again(probe: Probe) -> None:
    """A key gives the same random words and numbers, bit for bit, and another key gives others."""

    def drawn(ops: ArrayOps, number: int = 3) -> Tree:
        key = ops.asarray(np.array(random.derive_key(number, "again"), np.uint32), "uint32")
        numbers = {
            "words": random.random_bits(ops, key, 1001),
            "normal": random.normal(ops, key, (5, 7)),
        }
        numbers["uniform"] = random.uniform(ops, key, (9, 11))
        return {**numbers, "bernoulli": random.bernoulli(ops, key, 0.5, (9, 11))}

    first = hold_again(probe, "what a key gives", drawn, bits=True)
    for name, leaf in to_host(probe.ops, drawn(probe.ops, 4)).items():
        require(not np.array_equal(leaf, first[name]), f"two keys give the same {name}")


@check("determinism")
def bank_again(probe: Probe) -> None:
    """A bank that is built again, or refreshed, has the same states and links."""

    def held(model: DTGCNN) -> Tree:
        bank = model.trained_bank()
        assert bank.graph is not None
        lists = {name: leaf for name, leaf in bank.graph._asdict().items() if leaf is not None}
        return {**lists, **{str(i): state for i, state in enumerate(bank.states)}}

    first = hold_again(probe, "a bank", lambda ops: held(model_of(ops, use_batch_norm=True)))
    model = model_of(probe.ops, use_batch_norm=True)
    model.trained_bank().refresh(probe.ops, model.network, model.params, model.state)
    hold(probe, "a refreshed bank", held(model), first)


@check("determinism")
def embeddings_again(probe: Probe) -> None:
    """The same rows have the same embeddings, from one model and from another."""
    for scope in _SCOPES:

        def encoded(ops: ArrayOps, scope: str = scope) -> Array:
            return ops.asarray(model_of(ops, 40, graph_scope=scope).encode(VECTORS))

        first, model = hold_again(probe, f"embeddings, {scope}", encoded), model_of(probe.ops, 40)
        for _ in range(2):
            hold(probe, "embeddings of one model", probe.array(model.encode(VECTORS)), first)


@check("determinism")
def mining_and_losses_again(probe: Probe) -> None:
    """Each loss of each mining strategy has the same value, metrics and gradient."""
    for loss, strategy in pairings():
        config = accepted(loss=loss, mining_strategy=strategy)
        assert config is not None
        for what, (_, batch) in BATCHES.items():
            if strategy != "explicit" or "triplets" in batch:
                fn = partial(differentiated, config=config, batch=batch)
                hold_again(probe, f"{loss} of {strategy}, {what}", fn)


@check("determinism")
def sums_of_duplicates_again(probe: Probe) -> None:
    """``gather_sum`` and ``scatter_sum`` of many duplicate indices, and their gradients."""
    rows, few = 1024, 5
    indices = integers(np.random.default_rng(3).integers(0, few, (rows, 8)))
    given = {"few": normal(few, 6, seed=4), "x": normal(rows, 6, seed=5)}
    given |= {"weights": normal(rows, 8, seed=6)}
    seeds = {"gather": normal(rows, 6, seed=7), "scatter": normal(few, 6, seed=8)}

    def summed(ops: ArrayOps) -> Tree:
        at, by = ops.asarray(indices, "int32"), to_device(ops, seeds)

        def total(p: Tree) -> tuple[Array, Tree]:
            out = {
                "gather": numerics.gather_sum(ops, p["few"], at, p["weights"]),
                "scatter": ops.scatter_sum(p["x"], at, p["weights"], few),
            }
            sums = [ops.sum(out[name] * by[name]) for name in out]
            return sums[0] + sums[1], out

        value, out, gradients = ops.value_and_grad(total)(to_device(ops, given))
        return {"value": value, "sums": out, "gradients": gradients}

    for _ in range(2):
        hold_again(probe, "sums over duplicates", summed)


@check("determinism")
def repeatable(probe: Probe) -> None:
    """Steps with dropout, from the same numbers and keys, end in the same numbers."""
    for scope in _SCOPES:
        task = task_of(probe.reference, graph_scope=scope, use_batch_norm=True)

        def ended(ops: ArrayOps, task: Task = task) -> Tree:
            held, step = rounded(task.start, ops.dtype), task.stepper(ops)
            for number in range(3):
                held = to_host(ops, task.take(ops, step, held, number))
            return to_device(ops, held)

        hold_again(probe, f"three steps, {scope}", ended)


@check("determinism")
def training_again(probe: Probe) -> None:
    """A whole training from the same seed has the same losses and the same embeddings."""
    data = TripletDataset.from_arrays(VECTORS, _CLASSES)

    def trained(ops: ArrayOps) -> Tree:
        train, validation = data.create_dataloaders(batch_size=16, train_split=0.8, seed=1)
        model = DTGCNN(config_of(mining_strategy="distance_weighted"), ops=ops)
        history = Trainer(model, epochs=2, progress=False).train(train, validation)
        losses = {name: np.array([h[name] for h in history]) for name in ("loss", "val_loss")}
        return to_device(ops, {**losses, "embeddings": model.encode(VECTORS)})

    hold_again(probe, "a training", trained)


@check("determinism")
def a_product_by_rows_does_not_depend_on_their_places(probe: Probe) -> None:
    """A row of ``matmul_by_rows`` is the same in any place."""
    ops, count = probe.ops, ENCODE_ROWS
    for width, columns in ((12, 8), (64, 60), (384, 128), (10, 5), (384, 7)):
        rows, weight = normal(count, width, seed=17), normal(width, columns, seed=18)
        x, w = (probe.array(array.astype(np.float32)) for array in (rows, weight))
        together = ops.to_numpy(numerics.matmul_by_rows(ops, x, w))
        shuffled = np.random.default_rng(0).permutation(count)
        for order in (shuffled, np.roll(np.arange(count), 7), np.arange(count)[::-1]):
            placed = ops.take(x, ops.asarray(order, "int32"))
            product = ops.to_numpy(numerics.matmul_by_rows(ops, placed, w))
            hold_rows(probe, f"of {width} columns, elsewhere", product, together[order])


@check("determinism")
def embeddings_do_not_depend_on_company(probe: Probe) -> None:
    """``encode`` gives a row the same embedding alone, in any batch and in any order."""
    # Rows of the bank, copies of rows, and rows that are new.
    edge, rows = ENCODE_ROWS, np.concatenate([VECTORS[30:50], VECTORS[30:34]])
    new = normal(2 * edge - 15, rows.shape[1], seed=9).astype(rows.dtype)
    rows = np.concatenate([rows, new])
    every = np.arange(len(rows))
    orders = {"shuffled": np.random.default_rng(0).permutation(every), "backwards": every[::-1]}
    orders["sorted"] = np.argsort(rows[:, 0])
    orders |= {f"of the first {n}": every[:n] for n in (24, edge - 1, edge, edge + 1, 2 * edge)}
    orders |= {f"of the last {n}": every[-n:] for n in (2, edge, edge + 1)}
    orders |= {f"of row {n} alone": every[n : n + 1] for n in (0, 22, 40, edge - 1, edge)}
    for scope in _SCOPES:
        model = model_of(probe.ops, 40, use_batch_norm=True, graph_scope=scope)
        together = model.encode(rows)
        require(together.shape == (len(rows), 8), f"encode gives the shape {together.shape}")
        require(together.dtype.name == probe.ops.dtype, f"encode gives {together.dtype.name}")
        for what, order in orders.items():
            hold_rows(probe, f"{what}, {scope} scope", model.encode(rows[order]), together[order])
        hold_rows(probe, "of columns in a row", model.encode(np.asfortranarray(rows)), together)
        hold_rows(probe, "of a view", model.encode(np.repeat(rows, 2, axis=0)[::2]), together)
        hold_rows(probe, "in float64", model.encode(rows.astype(np.float64)), together)
        none = model.encode(rows[:0])
        require(none.shape == (0, 8), f"encode of no rows gives the shape {none.shape}")
        require(none.dtype.name == probe.ops.dtype, f"encode of no rows gives {none.dtype.name}")


def hold_rows(probe: Probe, what: str, actual: HostArray, expected: HostArray) -> None:
    """Hold rows to others that are to be equal: the same bits on a CPU, to 10⁻⁶ elsewhere."""
    require(actual.shape == expected.shape, f"rows {what} have the shape {actual.shape}")
    off = float(np.abs(actual - expected).max())
    most = 0.0 if probe.ops.device == "cpu" else 1e-6
    require(off <= most, f"a row {what} is off by {off:.3g}, where {most:g} is allowed")
