"""``TrainingRun``: the data, links and state of one call of ``Trainer.train``, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..array import Array, HostArray, Tree, derive_key, flatten, refill, tree_map, unflatten
from ..array.distributed import ALONE, World, bounds_of
from ..config import DTGCNNConfig, refuse_unless
from ..errors import TrainingError
from ..losses import Objective
from ..model import DTGCNN, Network
from ..optim import Optimizer, learning_rate_at, make_optimizer
from .accumulation import AccumulatedStep
from .adaptive_step import AdaptiveStep
from .best_epoch import BestEpoch
from .step import TrainingStep
from .step_inputs import TrainingInputs

if TYPE_CHECKING:
    from ..data import Batch, TripletLoader

__all__ = ["TrainingRun"]


class TrainingRun:
    """Steps over a loader's batches, which change the model.

    Args:
        model: its parameters, running state and bank are replaced.
        config: the training settings.
        loader: gives the batches.
        vectors: (num_items, input_dim), the vectors of the loader's dataset.
        objective: what is minimised; the config's loss where not given.
        world: the processes that share the work.
        optimizer, scheduler: those of the user, in place of the config's; see ``Trainer``.
        held_out: (H, input_dim) other rows of the loader's classes; see ``DTGCNN.fit_start``.

    Raises:
        TrainingError: the loader has no batch.
        ValueError: the data are too few for the graph, or every parameter is frozen.
    """

    def __init__(
        self,
        model: DTGCNN,
        config: DTGCNNConfig,
        loader: TripletLoader,
        vectors: HostArray,
        objective: Objective | None = None,
        world: World = ALONE,
        optimizer: Optimizer | None = None,
        scheduler: Callable[[int], float] | None = None,
        held_out: HostArray | None = None,
    ) -> None:
        from ..data import Prefetcher

        self.world = world
        self.model, self.config, self.loader, self.ops = model, config, loader, model.ops
        if len(loader) == 0:
            raise TrainingError("the training side has no batch: the data are too few to train on")
        if len(model.frozen) == len(flatten(model.params)):
            raise ValueError("every parameter is frozen: there is nothing to train")
        self.together = min(config.gradient_accumulation_steps, len(loader))
        """Batches of the loader that make one step."""
        self.num_steps = -(-len(loader) // self.together)
        """Steps an epoch."""
        self.count = 0
        """Steps taken, those of halved batches each."""
        self.taken = 0
        """Steps of the schedule taken, those of halved batches counted once."""
        self.best = BestEpoch(model)
        self._inputs = TrainingInputs(model, config, loader, vectors, held_out)
        self._scheduler = scheduler
        self._prepare(objective, optimizer)
        self._sources = self._inputs.bank_states()
        self._prefetcher = Prefetcher(
            config.num_workers, config.prefetch_factor, config.persistent_workers
        )
        one_graph = config.graph_scope == "batch"
        in_parts = config.gradient_accumulation == "cached" and not one_graph
        least_rows = config.graph_k_neighbors + 1 if one_graph else 1
        self._adaptive = AdaptiveStep(self.ops, least_rows, in_parts)

    def _prepare(self, objective: Objective | None, optimizer: Optimizer | None) -> None:
        config, model, ops = self.config, self.model, self.ops
        optimizer = optimizer or make_optimizer(
            config.optimizer, weight_decay=config.weight_decay, momentum=config.momentum
        )
        network = Network.from_config(config)
        if config.graph_scope == "batch" and config.gradient_accumulation == "cached":
            # One graph links all rows of a step, so they are encoded together.
            network = replace(network, recompute=network.recompute or self.together > 1)
        step = TrainingStep(ops, config, network, optimizer, objective, model.frozen)
        # In the order in which a step returns them, or the second step would be compiled anew.
        model.params = unflatten(flatten(model.params))
        optimizer_state = step.init(model.params)
        # The first step would lose what it starts from where memory runs out in it.
        ops.evaluate(model.params, model.state, optimizer_state)
        self._optimizer_state = self._at_rest(optimizer_state)
        self._step = ops.compile(step.__call__)
        own = bool(model.extras())  # heads of tasks
        self._accumulated = AccumulatedStep(step, ops.compile, self.world, own)

    def groups(self, epoch: int, start: int = 0) -> Iterator[list[Batch]]:
        """The batches of each step of ``epoch`` = 1, 2, …, from step ``start`` = 0, 1, … on."""
        group: list[Batch] = []
        skipped = start * self.together
        for batch in self.loader.batches(epoch - 1, skipped, self._prefetcher):
            group.append(batch)
            if len(group) == self.together:
                yield group
                group = []
        if group:
            yield group

    def step(self, group: list[Batch], epoch: int) -> dict[str, float]:
        """Take one step and return its metrics; where memory lacks for it and the config lets it,
        see ``AdaptiveStep``, and the mean of the metrics."""
        if self.config.adaptive_batch_size:
            done = self._adaptive(self._take, group, epoch)
        else:
            done = [self._take(group, epoch)]
        self.taken += 1
        rate, skipped = done[-1]["learning_rate"], sum(d.get("skipped_steps", 0.0) for d in done)
        mean = {name: sum(d[name] for d in done) / len(done) for name in done[0]}
        return {**mean, "learning_rate": rate, **({"skipped_steps": skipped} if skipped else {})}

    def _take(self, group: list[Batch], epoch: int, parts: int = 1) -> dict[str, float]:
        from ..data import join

        joint = join(group)
        if joint.valid_triplets == 0:
            raise TrainingError(f"step {self.count + 1} holds no valid triplet")
        ops, config, model = self.ops, self.config, self.model
        key = ops.asarray(derive_key(config.seed, "step", self.count), "uint32")
        rate = self._rate()
        learning_rate = ops.asarray(rate)
        if config.graph_scope == "batch" and config.gradient_accumulation == "cached":
            group = [joint]  # one graph links all rows
        cut = config.batch_parts or 1
        if len(group) * parts == 1 and cut == 1 and not config.offload_optimizer:
            params, state, optimizer_state, metrics = self._step(
                model.params,
                model.state,
                self._optimizer_state,
                {
                    **self._inputs.rows(joint.items),
                    **self._inputs.loss_arrays(joint, epoch, self.count),
                },
                self._sources,
                key,
                learning_rate,
            )
            ops.evaluate(params, state, optimizer_state, metrics)
            # Only what is evaluated is kept: memory may run out before.
            model.params, model.state, self._optimizer_state = params, state, optimizer_state
        else:
            metrics = self._take_parted(group, joint, epoch, parts, key, learning_rate)
        self.count += 1
        figures = {name: float(ops.to_numpy(value)) for name, value in metrics.items()}
        figures = self.world.from_first("metrics", lambda: figures)
        if config.target_margin is not None:
            figures["margin"] = self._inputs.margin(epoch)
        return {**figures, "learning_rate": rate}

    def _take_parted(
        self,
        group: list[Batch],
        joint: Batch,
        epoch: int,
        parts: int,
        key: Array,
        learning_rate: Array,
    ) -> Tree:
        """A step whose gradients are computed before the optimiser's state is looked at."""
        ops, model, run, inputs = self.ops, self.model, self._accumulated, self._inputs
        scale = self._optimizer_state.get("loss_scale")
        scale = None if scale is None else ops.asarray(scale)
        start = (model.params, model.state)
        cut = min(self.config.batch_parts or 1, len(joint.items))
        if cut > 1:
            slices = _slices(joint.items, cut)
        else:
            slices = [items for batch in group for items in _slices(batch.items, parts)]
        if len(slices) > 1 and self.config.gradient_accumulation == "cached":
            gradients, state, metrics = run.cached(
                *start,
                [inputs.rows(items) for items in slices],
                {
                    "x": inputs.rows(joint.items)["x"],
                    **inputs.loss_arrays(joint, epoch, self.count),
                },
                self._sources,
                key,
                scale,
            )
        else:
            own = [
                {**inputs.rows(batch.items), **inputs.loss_arrays(batch, epoch, self.count, i)}
                for i, batch in enumerate(group)
            ]
            gradients, state, metrics = run.plain(*start, own, self._sources, key, scale)
        params, optimizer_state, more = run.update(
            model.params, tree_map(ops.asarray, self._optimizer_state), gradients, learning_rate
        )
        state = run.settle(model.state, state, more)
        ops.evaluate(params, state, optimizer_state, more)
        model.params, model.state = params, state
        self._optimizer_state = self._at_rest(optimizer_state)
        return {**metrics, **more}

    def finish_epoch(self, epoch: int) -> None:
        """Bring the model's bank up to date, so that it can encode.

        What training steps link to stays frozen for ``dynamic_graph_update_freq`` epochs.
        """
        self.refresh_bank()
        if epoch % self.config.dynamic_graph_update_freq == 0:
            self._inputs.relink()
            self._sources = self._inputs.bank_states()

    @property
    def graph_figures(self) -> dict[str, float]:
        """Of the links to the bank, see ``TrainingInputs``."""
        return self._inputs.graph_figures

    def refresh_bank(self) -> None:
        """Compute the bank's states anew from the parameters as they are."""
        self.model.refresh_bank(self.world)

    def close(self) -> None:
        """End the threads that assemble batches."""
        self._prefetcher.close()

    def state_dict(self) -> tuple[dict[str, Any], dict[str, HostArray]]:
        """All that later steps depend on: numbers, and arrays by dotted name."""
        model, ops = self.model, self.ops
        states = {str(i): states for i, states in enumerate(self._inputs.bank.states)}
        banks, sources = (
            {name: leaf for name, leaf in tree.items() if name in self._moving}
            for tree in (states, self._sources)
        )
        trees = {"params": model.params, "state": model.state, "bank": banks}
        trees |= {"optimizer": self._optimizer_state, "sources": sources}
        trees["links"] = self._inputs.links()
        trees["hops"] = {str(i): states for i, states in enumerate(self._inputs.bank.hop_states)}
        arrays = {name: ops.to_numpy(leaf) for name, leaf in flatten(trees).items()}
        best, kept = self.best.state_dict()
        adaptive = self._adaptive
        numbers = {"count": self.count, "taken": self.taken, "best": best}
        numbers |= {"parts": adaptive.parts, "pieces": adaptive.pieces}
        return numbers, {**arrays, **kept}

    def load_state_dict(self, numbers: dict[str, Any], arrays: dict[str, HostArray]) -> None:
        """Go on from what ``state_dict`` gave."""
        ops, model = self.ops, self.model
        self.count, self.taken = numbers["count"], numbers["taken"]
        self.best.load_state_dict(numbers["best"], arrays)
        self._adaptive.parts, self._adaptive.pieces = numbers["parts"], numbers["pieces"]
        device = {name: ops.asarray(array) for name, array in arrays.items()}
        model.params = refill(model.params, device, "params")
        model.state = refill(model.state, device, "state")
        self._optimizer_state = self._at_rest(refill(self._optimizer_state, device, "optimizer"))
        bank = self._inputs.bank
        bank.states = [
            device[f"bank.{i}"] if str(i) in self._moving else states
            for i, states in enumerate(bank.states)
        ]
        bank.hop_states = [device[f"hops.{i}"] for i in range(self.config.propagation_hops)]
        if "0" in self._moving:
            bank.link(ops, model.network)
        self._sources = {
            name: device[f"sources.{name}"] if name in self._moving else states
            for name, states in self._sources.items()
        }
        self._inputs.restore_links(refill(self._inputs.links(), device, "links"))

    @property
    def _moving(self) -> list[str]:
        """The layers whose states in the bank change in training: where vectors go in, those of the
        first stay."""
        network = self.model.network
        return [str(i) for i in range(network.embedding is None, len(network.layers))]

    def _rate(self) -> float:
        config, steps = self.config, self.num_steps
        if self._scheduler is not None:
            given, rate = self._scheduler(self.taken), float("nan")
            with suppress(TypeError, ValueError):
                rate = float(given)
            rule = "must give rates that are finite and at least 0"
            refuse_unless(0.0 <= rate < float("inf"), "scheduler", rule, given)
            return rate
        warmup = config.warmup_steps
        return learning_rate_at(
            self.taken,
            peak=config.learning_rate,
            total_steps=steps * config.num_epochs,
            warmup_steps=round(steps * config.warmup_epochs) if warmup is None else warmup,
            schedule=config.scheduler,
            steps_per_epoch=steps,
            step_size=config.scheduler_step_size,
            gamma=config.scheduler_gamma,
        )

    def _at_rest(self, optimizer_state: Tree) -> Tree:
        """The optimiser's state where it stays between steps."""
        if not self.config.offload_optimizer:
            return optimizer_state
        return tree_map(self.ops.to_numpy, optimizer_state)


def _slices(items: HostArray, count: int) -> list[HostArray]:
    """``items`` in ``count`` runs of about the same length."""
    return [items[start:stop] for start, stop in pairwise(bounds_of(len(items), count))]
