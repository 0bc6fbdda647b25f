"""``Trainer``: the loop over epochs, and the pure training step that it repeats."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .callbacks import Callback, ProgressBar
from .config import DTGCNNConfig
from .graph import Graph
from .model import DTGCNN, Network
from .objective import objective
from .ops import Array, ArrayOps, HostArray, Tree
from .optim import Optimizer, apply_updates, clip_by_global_norm, make_optimizer
from .random import derive_key
from .schedules import learning_rate_at

if TYPE_CHECKING:
    from .data import Batch, TripletDataset, TripletLoader

__all__ = ["AdvancedTrainer", "Trainer", "TrainingError", "make_step", "objective"]


class TrainingError(RuntimeError):
    """Training that cannot go on: data without a valid triplet, or a loss that is not finite."""


def make_step(
    ops: ArrayOps, config: DTGCNNConfig, network: Network, optimizer: Optimizer
) -> Callable[..., tuple[Tree, Tree, Tree, Tree]]:
    """One training step as a pure function.

    ``step(params, state, optimizer_state, batch, sources, key, learning_rate)`` returns the new
    ``(params, state, optimizer_state)`` and the step's metrics. In ``batch`` are the rows ``x``,
    ``labels``, ``items``, maybe ``triplets``, and in bank scope the rows' links ``neighbors``,
    ``weights`` and ``own`` to the bank, whose states ``sources`` holds. What changes from step to
    step is an array, so that the step can be compiled.
    """

    def loss(
        params: Tree, state: Tree, batch: Tree, sources: Tree, key: Array
    ) -> tuple[Array, Tree]:
        x = batch["x"]
        states: list[Array] | None = None
        if sources:
            graph = Graph(batch["neighbors"], batch["weights"], batch["own"], None)
            states = [sources[str(i)] for i in range(len(network.layers))]
        else:
            graph = network.constructor.construct_graph_batch(ops, x)
        embeddings, new_state = network(ops, params, state, x, graph, states, key=key)
        value, metrics = objective(ops, config, embeddings, batch)
        return value, {"state": new_state, "metrics": metrics}

    gradient_of = ops.value_and_grad(loss)

    def step(
        params: Tree,
        state: Tree,
        optimizer_state: Tree,
        batch: Tree,
        sources: Tree,
        key: Array,
        learning_rate: Array,
    ) -> tuple[Tree, Tree, Tree, Tree]:
        value, aux, gradients = gradient_of(params, state, batch, sources, key)
        gradients, norm = clip_by_global_norm(ops, gradients, config.gradient_clip_val)
        updates, optimizer_state = optimizer.update(
            ops, gradients, optimizer_state, params, learning_rate
        )
        metrics = {"loss": value, "gradient_norm": norm, **aux["metrics"]}
        return apply_updates(params, updates), aux["state"], optimizer_state, metrics

    return step


class Trainer:
    """Trains a ``DTGCNN`` on the batches of a loader.

    Args:
        model: the model to train; its parameters, running state and bank are replaced.
        config: the training settings, which become the model's; its own where not given. Those that
            shape the model must be the model's.
        train_loader, val_loader: from ``TripletDataset.create_dataloaders``. They may be given to
            ``train`` instead. Texts are encoded by the model's encoder; where it has none, one is
            fitted on the training side's texts.
        epochs: passes over the training data, in place of ``config.num_epochs``.
        callbacks: called around epochs and steps.
        progress: whether to show a progress bar and a line per epoch.
    """

    def __init__(
        self,
        model: DTGCNN,
        config: DTGCNNConfig | None = None,
        *,
        train_loader: TripletLoader | None = None,
        val_loader: TripletLoader | None = None,
        epochs: int | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = True,
    ) -> None:
        config = model.config if config is None else config
        config.require_same_model(model.config)
        self.model = model
        self.config = config if epochs is None else config.replace(num_epochs=epochs)
        self.train_loader = train_loader
        self.val_loader = val_loader
        self.callbacks = list(callbacks)
        self.progress = progress
        self.history: list[dict[str, float]] = []
        """The metrics of each finished epoch of the last run."""
        self.should_stop = False
        """Set it to end training after the running epoch."""
        self.global_step = 0
        """Steps taken in this run, over all epochs."""
        self.steps_per_epoch = 0
        self._vectors: list[tuple[TripletDataset, HostArray]] = []

    def train(
        self,
        train_loader: TripletLoader | None = None,
        val_loader: TripletLoader | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> list[dict[str, float]]:
        """Train for all epochs and leave the model ready to encode. Returns ``history``.

        Raises:
            ValueError: there is no training loader, or model, graph and data do not fit together.
            TrainingError: a batch holds no valid triplet, or the loss is not finite.
        """
        loader = self.train_loader if train_loader is None else train_loader
        if loader is None:
            raise ValueError("train_loader must be given, to Trainer or to train")
        val_loader = self.val_loader if val_loader is None else val_loader
        hooks = [*([ProgressBar()] if self.progress else []), *self.callbacks, *callbacks]
        begun: list[Callback] = []
        self.should_stop, self.global_step, self.history = False, 0, []
        self.config = self.config.replace(batch_size=loader.batch_size)
        self.model.config = self.config
        self.steps_per_epoch = len(loader)
        try:
            for hook in hooks:
                hook.on_train_begin(self)
                begun.append(hook)
            run = _Run(self.model, self.config, loader, self._vectors_of(loader))
            for epoch in range(1, self.config.num_epochs + 1):
                self._run_epoch(run, epoch, val_loader, hooks)
                if self.should_stop:
                    break
        finally:
            with ExitStack() as ending:  # one hook's error keeps no other from ending
                for hook in reversed(begun):
                    ending.callback(hook.on_train_end, self)
        return self.history

    def _run_epoch(
        self, run: _Run, epoch: int, val_loader: TripletLoader | None, hooks: Sequence[Callback]
    ) -> None:
        begin = time.perf_counter()
        for hook in hooks:
            hook.on_epoch_begin(self, epoch)
        totals: dict[str, float] = {}
        for batch_idx, batch in enumerate(run.loader.batches(epoch - 1)):
            outputs = run.step(batch)
            self.global_step += 1
            if not abs(outputs["loss"]) < float("inf"):
                raise TrainingError(
                    f"the loss is {outputs['loss']} at step {batch_idx + 1} of epoch {epoch}: "
                    "lower learning_rate or gradient_clip_val"
                )
            for name, value in outputs.items():
                totals[name] = totals.get(name, 0.0) + value
            for hook in hooks:
                hook.on_batch_end(self, outputs, batch, batch_idx)
        metrics = {name: total / self.steps_per_epoch for name, total in totals.items()}
        run.finish_epoch(epoch)
        metrics |= {f"val_{k}": v for k, v in self.validate(val_loader).items()}
        metrics |= {"epoch": float(epoch), "seconds": time.perf_counter() - begin}
        self.history.append(metrics)
        for hook in hooks:
            hook.on_epoch_end(self, metrics)

    def validate(self, loader: TripletLoader | None) -> dict[str, float]:
        """The loss and its metrics over a loader's batches, embedded as ``encode`` does, each batch
        weighted by its triplets. Empty without batches."""
        if loader is None or len(loader) == 0:
            return {}
        ops, totals, weight = self.model.ops, dict[str, float](), 0.0
        embeddings = self.model.encode(self._vectors_of(loader)[loader.items])
        row_of = {int(item): row for row, item in enumerate(loader.items)}
        key = key_of(ops, self.config, derive_key(self.config.seed, "validation"))
        for batch in loader.batches(0):
            rows = ops.asarray(embeddings[[row_of[int(item)] for item in batch.items]])
            value, metrics = objective(ops, self.config, rows, {**indices_of(ops, batch), **key})
            count = float(ops.to_numpy(metrics["valid_triplets"]))
            for name, figure in {"loss": value, **metrics}.items():
                totals[name] = totals.get(name, 0.0) + count * float(ops.to_numpy(figure))
            weight += count
        return {k: v / max(weight, 1.0) for k, v in totals.items() if k != "valid_triplets"}

    def _vectors_of(self, loader: TripletLoader) -> HostArray:
        """The vectors of the loader's whole dataset, (num_items, input_dim), made once.

        Texts are encoded by the model's encoder, fitted on this loader's texts where there is none.
        """
        model, dataset = self.model, loader.dataset
        for known, vectors in self._vectors:
            if known is dataset:
                return vectors
        if dataset.texts is not None and model.encoder is None:
            from .data import TfidfEncoder

            texts = [dataset.texts[item] for item in loader.items]
            model.encoder = TfidfEncoder(model.config.input_dim).fit(texts)
        self._vectors.append((dataset, model.vectors(dataset.inputs)))
        return self._vectors[-1][1]


AdvancedTrainer = Trainer


class _Run:
    """The data, links and optimiser state of one call of ``Trainer.train``."""

    def __init__(
        self, model: DTGCNN, config: DTGCNNConfig, loader: TripletLoader, vectors: HostArray
    ) -> None:
        self.model, self.config, self.loader, self.ops = model, config, loader, model.ops
        if len(loader) == 0:
            raise TrainingError("the training side has no batch: the data are too few to train on")
        host_x = vectors[loader.items]
        labels = [int(label) for label in loader.labels]
        self._row_of = {int(item): row for row, item in enumerate(loader.items)}
        self._x = model.device_rows(host_x)
        if config.graph_scope == "batch":
            first = next(iter(loader.batches(0)))
            model.network.constructor.check_size(len(first.items), "a batch")
        self._bank = model.build_bank(host_x, labels)
        self._links = self._link(host_x) if config.graph_scope == "bank" else None
        optimizer = make_optimizer(
            config.optimizer, weight_decay=config.weight_decay, momentum=config.momentum
        )
        self._optimizer_state = optimizer.init(self.ops, model.params)
        self._step = self.ops.compile(make_step(self.ops, config, model.network, optimizer))
        self._sources = self._bank_states()
        self._count = 0

    def _link(self, host_x: HostArray) -> Graph:
        """Links of all training rows to the bank: its own, where every row is in it."""
        rows = self._bank.rows_of(host_x)
        if min(rows) < 0 or self._bank.graph is None:
            return self.model.attach(host_x, self._x)
        return self._bank.graph.rows(self.ops, self.ops.asarray(rows, "int32"))

    def step(self, batch: Batch) -> dict[str, float]:
        """Take one step and return its metrics."""
        if batch.valid_triplets == 0:
            raise TrainingError(f"batch {self._count + 1} holds no valid triplet")
        ops, config, model = self.ops, self.config, self.model
        steps = len(self.loader)
        rate = learning_rate_at(
            self._count,
            peak=config.learning_rate,
            total_steps=steps * config.num_epochs,
            warmup_steps=round(steps * config.warmup_epochs),
            schedule=config.scheduler,
            steps_per_epoch=steps,
            step_size=config.scheduler_step_size,
            gamma=config.scheduler_gamma,
        )
        key = ops.asarray(derive_key(config.seed, "step", self._count), "uint32")
        mining_key = derive_key(config.seed, "mining", self._count)
        model.params, model.state, self._optimizer_state, metrics = self._step(
            model.params,
            model.state,
            self._optimizer_state,
            {**self._arrays(batch), **key_of(ops, config, mining_key)},
            self._sources,
            key,
            ops.asarray(rate),
        )
        ops.evaluate(model.params, model.state, self._optimizer_state, metrics)
        self._count += 1
        figures = {name: float(ops.to_numpy(value)) for name, value in metrics.items()}
        return {**figures, "learning_rate": rate}

    def finish_epoch(self, epoch: int) -> None:
        """Bring the model's bank up to date, so that it can encode.

        What training steps link to stays frozen for ``dynamic_graph_update_freq`` epochs.
        """
        model = self.model
        self._bank.refresh(self.ops, model.network, model.params, model.state)
        if epoch % self.config.dynamic_graph_update_freq == 0:
            self._sources = self._bank_states()

    def _bank_states(self) -> Tree:
        if self._links is None:
            return {}
        return {str(i): states for i, states in enumerate(self._bank.states)}

    def _arrays(self, batch: Batch) -> Tree:
        ops = self.ops
        rows = ops.asarray([self._row_of[int(item)] for item in batch.items], "int32")
        arrays = {"x": ops.take(self._x, rows), **indices_of(ops, batch)}
        if self._links is not None:
            links = self._links.rows(ops, rows)
            arrays |= {"neighbors": links.neighbors, "weights": links.weights, "own": links.own}
        return arrays


def indices_of(ops: ArrayOps, batch: Batch) -> Tree:
    """The batch's labels, items and triplets on the device."""
    arrays = {
        "labels": ops.asarray(batch.labels, "int32"),
        "items": ops.asarray(batch.items, "int32"),
    }
    if batch.triplets is not None:
        arrays["triplets"] = ops.asarray(batch.triplets, "int32")
    return arrays


def key_of(ops: ArrayOps, config: DTGCNNConfig, key: tuple[int, int]) -> Tree:
    """The batch's ``mining_key``, where the mining strategy draws at random."""
    if config.mining_strategy != "distance_weighted":
        return {}
    return {"mining_key": ops.asarray(key, "uint32")}
