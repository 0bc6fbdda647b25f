"""``Trainer``: the loop over epochs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ..array import HostArray, limit_threads
from ..array.distributed import ALONE, joined, shared_rows
from ..callbacks import Callback, CollapseWatch, EarlyStopping, MemoryManager, ProgressBar
from ..config import DTGCNNConfig, check_whole, refuse_unless
from ..errors import TrainingError
from ..losses import LossFunction, NamedLoss, Objective, as_objective, config_objective
from ..model import DTGCNN, Calibration, ChosenRows
from ..optim import Optimizer
from .best_epoch import chosen_by
from .calibration import calibrate
from .state_keeper import StateKeeper, hold, saved_state
from .together import shared_state, with_parts
from .training_run import TrainingRun
from .training_state import Place
from .validation import check_classes, retrieval, unseen_rows, validate

if TYPE_CHECKING:
    from ..data import Items, TripletLoader

_log = logging.getLogger("dtgcnn")

__all__ = ["AdvancedTrainer", "Trainer", "costs_recall", "listed"]

LEAST_GAIN = 0.0025
"""What steps must gain on held-out rows, in MAP@R, for the start to be left."""

LEAST_ROWS = 4
"""The same in rows: that all of fewer rows changed for the better may well be chance (a sign test
of four out of four gives p = .06)."""

SPENT = 0.2
"""How much of what MAP@R gains recall@1 may lose; up to ``LEAST_GAIN`` in any case."""

LEAST_SHARE, LEAST_AUC = 0.1, 0.001
"""What steps must gain on held-out triplets: of what the AUC of pairs lacks to 1, since it is near
that from the start, and at least so much in all."""


def costs_recall(before: Mapping[str, float], after: Mapping[str, float], name: str) -> bool:
    """Whether recall@1 of held-out rows falls by more than ``LEAST_GAIN``, and by more than
    ``SPENT`` of what ``name`` gains."""
    lost = before.get("val_recall@1", 0.0) - after.get("val_recall@1", 0.0)
    return lost > max(LEAST_GAIN, SPENT * (after[name] - before[name]))


class Trainer:
    """Trains a ``DTGCNN`` on the batches of a loader.

    Args:
        model: the model to train; its parameters, running state and bank are replaced. One that was
            loaded goes on from its parameters, with its start and encoder; its classes become those
            of the data.
        config: the training settings, which may be left out before loaders:
            ``Trainer(model, train_loader, val_loader)``. They become the model's; its own where not
            given. Those that shape the model must be the model's.
        *loaders: the loaders that follow, by position.
        train_loader, val_loader: from ``TripletDataset.create_dataloaders``. They may be given to
            ``train`` instead. Texts are encoded by the model's encoder; where it has none, one is
            fitted on the training side's texts.
        epochs: passes over the training data, in place of ``config.num_epochs``.
        callbacks: called around epochs and steps.
        progress: whether to show how far it is; see ``ProgressBar``.
        keep_best: whether the model ends with the weights of the epoch that did best on held-out
            rows, by MAP@R where they have classes, by the AUC of pairs where they are triplets;
            the start, or the model that was loaded, before the first step is one of them. Without
            held-out rows the last epoch's are kept, or with ``early_stopping_patience`` those of
            the least loss.
        loss: a loss in place of the config's: one of this package, such as ``SupConLoss(0.2)``,
            or one of one's own: a function ``(ops, embeddings, batch)``
            of the embeddings (B, D) and of ``batch["labels"]``, ``batch["items"]`` and, where the
            data are triplets, ``batch["triplets"]`` (T, 3), to a scalar, or to a scalar and a dict
            of metrics. It is written with ``ops``, forward only. On a GPU it is compiled: what else
            it makes use of stays as it was at the first step.
        optimizer: an optimiser of one's own in place of the config's: an object with pure functions
            ``init(ops, params)`` and ``update(ops, gradients, state, params, learning_rate)``; see
            ``dtgcnn.optim.Optimizer``.
        scheduler: a schedule of one's own in place of the config's: a function of the step, 0 for
            the first, to its learning rate, finite and at least 0.
        state_dir: where the state of the run is kept, so that ``train(resume=True)`` goes on after
            it was killed, with the same bits as if it had not been. It is saved after an epoch, but
            so seldom that this takes no more than a fortieth of the time, and where training ends,
            by an error or an interrupt too.
        save_every_n_steps: save the state after steps n, 2n, … too, however long it takes.

    Raises:
        ValueError: ``config`` shapes another model, or an argument is out of range.
    """

    def __init__(
        self,
        model: DTGCNN,
        config: DTGCNNConfig | TripletLoader | None = None,
        *loaders: TripletLoader | None,
        train_loader: TripletLoader | None = None,
        val_loader: TripletLoader | None = None,
        epochs: int | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        keep_best: bool = True,
        loss: LossFunction | NamedLoss | None = None,
        optimizer: Optimizer | None = None,
        scheduler: Callable[[int], float] | None = None,
        state_dir: str | Path | None = None,
        save_every_n_steps: int | None = None,
    ) -> None:
        refuse_unless(isinstance(model, DTGCNN), "model", "must be a DTGCNN", model)
        if config is not None and not isinstance(config, DTGCNNConfig):
            config, loaders = None, (config, *loaders)
        train_loader, val_loader = _sides(loaders, train_loader, val_loader)
        config = model.config if config is None else config
        _check_own(optimizer, scheduler)
        config.require_same_model(model.config)
        refuse_unless(
            config.device in ("auto", model.ops.device),
            "device",
            f"must be the model's {model.ops.device!r}",
            config.device,
        )
        if save_every_n_steps is not None:
            save_every_n_steps = check_whole("save_every_n_steps", save_every_n_steps, 1)
            if state_dir is None:
                raise ValueError("save_every_n_steps needs a state_dir to save in")
        self.model = model
        self.config = config if epochs is None else config.replace(num_epochs=epochs)
        self.train_loader = train_loader
        self.val_loader = val_loader
        self.callbacks = listed(callbacks)
        self.progress = progress
        self.keep_best = keep_best
        self.loss, self.optimizer, self.scheduler = loss, optimizer, scheduler
        self.state_dir = None if state_dir is None else Path(state_dir)
        self.save_every_n_steps = save_every_n_steps
        self.history: list[dict[str, float]] = []
        """The metrics of each finished epoch of the last run."""
        self.should_stop = False
        """Set it to end training after the running epoch."""
        self.global_step = 0
        """Steps taken in this run, over all epochs."""
        self.steps_per_epoch = 0
        self.best_epoch: int | None = None
        """The epoch whose weights the model has after training, 0 for the start before the first
        step; None where the last epoch's were kept."""
        self.start_metrics: dict[str, float] = {}
        """What validation gave before the first step, of a model with a start or a loaded one."""
        self.resumed = False
        """Whether the run goes on from a saved state."""
        self.world = ALONE
        """The processes that train together, from ``train`` on."""
        self._vectors: list[tuple[Items, HostArray]] = []
        self._held: dict[int, Any] = {}
        """Of held-out rows what stays the same in a run; see ``DTGCNN.embed``."""

    def train(
        self,
        train_loader: TripletLoader | None = None,
        val_loader: TripletLoader | None = None,
        callbacks: Iterable[Callback] = (),
        *,
        resume: bool = False,
    ) -> list[dict[str, float]]:
        """Train for all epochs and leave the model ready to encode. Returns ``history``.

        With ``resume`` it goes on from the last state in ``state_dir``, or begins where there is
        none. Model, config, data and callbacks must be made as they were for the run before.

        Raises:
            ValueError: there is no training loader, model, graph and data do not fit together, or
                the state is that of another run.
            FileExistsError: without ``resume``, ``state_dir`` holds the state of a run.
            BlockingIOError: another process keeps its state in ``state_dir``.
            TrainingError: a batch holds no valid triplet, or the loss or gradient is not finite.
        """
        loader = self.train_loader if train_loader is None else train_loader
        if loader is None:
            raise ValueError("train_loader must be given, to Trainer or to train")
        val_loader = self.val_loader if val_loader is None else val_loader
        callbacks = listed(callbacks)
        _check_kinds(loader, val_loader, [*self.callbacks, *callbacks], self.loss)
        self.train_loader, self.val_loader = loader, val_loader
        for side in (loader, val_loader):
            if side is not None and len(side) > 0:
                self.model.check_data(side)
        if _has_rows(val_loader) and val_loader.triplets is None:
            check_classes(val_loader.dataset, loader.dataset.label_names)
        self.world = joined(self.model.ops, self.config.process_timeout)
        state_dir = self.state_dir if self.world.is_first else None
        with (
            self.world.guard(),
            hold(state_dir),
            limit_threads(self.config.num_threads),
            ExitStack() as ending,
        ):
            state = saved_state(state_dir, resume) if self.world.is_first else None
            state = shared_state(self.world, self.model.ops, state)
            self.should_stop, self.global_step, self.history = False, 0, []
            self._held = {}
            ending.callback(self._held.clear)
            self.best_epoch, self.start_metrics = None, {}
            self.resumed = state is not None
            self.config = self.config.replace(
                batch_size=loader.batch_size, samples_per_class=loader.samples_per_class
            )
            self.config = with_parts(self.config, self.world, state)
            self.model.config = self.config
            all_hooks = self._hooks(callbacks, val_loader)
            hooks = [h for h in all_hooks if self.world.is_first or h.every_process]
            together = self.config.gradient_accumulation_steps
            self.steps_per_epoch = -(-len(loader) // min(together, max(len(loader), 1)))
            for hook in hooks:
                hook.on_train_begin(self)
                ending.callback(hook.on_train_end, self)  # one's error keeps no other from ending
                ending.push(partial(self._tell, hook))
            vectors = self._vectors_of(loader)
            objective = self._objective()
            shown = self.progress and self.world.is_first
            with _named("finding the start and the links", shown):
                run = TrainingRun(
                    *(self.model, self.config, loader, vectors, objective, self.world),
                    optimizer=self.optimizer,
                    scheduler=self.scheduler,
                    held_out=self._known_rows_of(val_loader, loader),
                )
            ending.callback(run.close)
            ending.push(partial(_leave_ready, run))
            names = ("loss", "optimizer", "scheduler")
            own = {name: getattr(self, name) for name in names}
            keeper = StateKeeper(state_dir, self, run, all_hooks, vectors, own, self.world)
            ending.push(keeper.close)
            place = keeper.begin(state)
            begun = self.config.has_start or self.model.origin is not None
            if place == Place() and begun and _has_rows(val_loader):
                with _named("looking the held-out rows up", shown):
                    run.best.start = self._validate(val_loader, hooks)
                self._offer(run, 0, run.best.start)
            self.start_metrics = run.best.start
            self.should_stop = self.world.from_first("beginning", lambda: self.should_stop)
            while place.epoch <= self.config.num_epochs and not (
                self.should_stop and place.step == 0
            ):
                self._run_epoch(run, place, val_loader, hooks, keeper)
                place = Place(place.epoch + 1)
                last = self.should_stop or place.epoch > self.config.num_epochs
                keeper.save(place, paced=not last)
            if self.keep_best and run.best.restore():
                run.refresh_bank()
                if _has_rows(val_loader):
                    self.best_epoch = run.best.epoch
            if self.world.is_first:
                self._calibrate(val_loader)
        return self.history

    def _calibrate(self, val_loader: TripletLoader | None) -> None:
        """Measure the answers of the model on the held-out rows, where they have classes. A loaded
        model keeps its own where there are none."""
        if self.model.origin is not None and not _has_rows(val_loader):
            return
        self.model.calibration = Calibration()
        if _has_rows(val_loader) and val_loader.triplets is None:
            calibrate(self.model, self._rows_of(val_loader), val_loader.labels, self._held)

    def _offer(self, run: TrainingRun, epoch: int, metrics: dict[str, float]) -> None:
        """Let the run keep the weights of ``epoch`` where they do better on the held-out rows than
        any before. Against the start one must gain ``LEAST_GAIN`` and more than ``LEAST_ROWS``, of
        triplets ``LEAST_SHARE``, more than what classes that were held out lose, and must not cost
        recall@1 (see ``costs_recall``): few rows find some epoch that is better by chance."""
        name, start = chosen_by(metrics), run.best.start
        if self.model.extras():  # heads of tasks, which no retrieval measures
            name = "val_loss"
        if name not in metrics:
            return
        if epoch > 0 and name in start and name != "val_loss":
            assert self.val_loader is not None
            unseen, _ = unseen_rows(self.model, self.val_loader)
            rows = len(self.val_loader.items)
            gain = max(LEAST_GAIN, LEAST_ROWS / (rows - len(unseen) or rows))
            if name == "val_pair_auc":
                gain = max(LEAST_AUC, LEAST_SHARE * (1.0 - start[name]))
            before, after = (m.get("val_unseen_map@r", 0.0) for m in (start, metrics))
            gain = max(gain, before - after)
            if not metrics[name] > start[name] + gain or costs_recall(start, metrics, name):
                return
        run.best.offer(epoch, metrics[name], lower=name == "val_loss")

    def _hooks(
        self, callbacks: Sequence[Callback], val_loader: TripletLoader | None
    ) -> list[Callback]:
        """The callbacks that were given, between those that the config asks for."""
        config, hooks = self.config, [*self.callbacks, *callbacks]
        if self.progress and self.world.is_first:
            hooks.insert(0, ProgressBar())
        named = any(isinstance(hook, CollapseWatch) for hook in hooks)
        if self.loss is None and CollapseWatch.watches(config) and not named:
            hooks.append(CollapseWatch())
        if config.early_stopping_patience is not None:
            held_out = val_loader is not None and len(val_loader) > 0
            monitor = "val_loss" if held_out else "loss"
            hooks.append(EarlyStopping(monitor, config.early_stopping_patience))
        if config.clear_cache_every or config.cache_limit is not None:
            hooks.append(MemoryManager(config.clear_cache_every, config.cache_limit))
        return hooks

    def _run_epoch(
        self,
        run: TrainingRun,
        place: Place,
        val_loader: TripletLoader | None,
        hooks: list[Callback],
        keeper: StateKeeper,
    ) -> None:
        begin, epoch, totals = time.perf_counter(), place.epoch, place.totals
        for hook in hooks:
            hook.on_epoch_begin(self, epoch)
        for batch_idx, group in enumerate(run.groups(epoch, place.step), place.step):
            for hook in hooks:
                hook.on_batch_begin(self, group[-1], batch_idx)
            outputs = run.step(group, epoch)
            self.global_step = run.taken
            for name, value in outputs.items():
                totals[name] = totals.get(name, 0.0) + value
            for hook in hooks:
                hook.on_batch_end(self, outputs, group[-1], batch_idx)
            _check(outputs, batch_idx + 1, epoch)  # after the callbacks, which may tell why
            place.step = batch_idx + 1
            every = self.save_every_n_steps
            if every and self.global_step % every == 0 and place.step < run.num_steps:
                keeper.save(place)
        count, summed = run.num_steps, ("skipped_steps",)
        metrics = {k: v if k in summed else v / count for k, v in totals.items()}
        run.finish_epoch(epoch)
        metrics |= run.graph_figures
        if _has_rows(val_loader):
            metrics |= self._validate(val_loader, hooks)
            self._offer(run, epoch, metrics)
        elif self.config.early_stopping_patience is not None:
            run.best.offer(epoch, metrics["loss"], lower=True)
        metrics |= {"epoch": float(epoch), "seconds": time.perf_counter() - begin}
        self.history.append(metrics)
        for hook in hooks:
            hook.on_epoch_end(self, metrics)
        # What depends on time, or on what only the first process looks at, is as it is there.
        told = self.world.from_first("end of the epoch", lambda: [metrics, self.should_stop])
        self.history[-1], self.should_stop = told

    def _validate(self, loader: TripletLoader, hooks: list[Callback]) -> dict[str, float]:
        for hook in hooks:
            hook.on_validation_begin(self)
        embeddings = self._embed_together(loader)

        def measured() -> dict[str, float]:
            found = self._measure(loader, embeddings)
            metrics = {f"val_{name}": value for name, value in found.items()}
            for hook in hooks:
                hook.on_validation_end(self, metrics)
            return metrics

        metrics: dict[str, float] = self.world.from_first("validation", measured)
        if not self.world.is_first:
            for hook in hooks:
                hook.on_validation_end(self, metrics)
        return metrics

    def _tell(self, hook: Callback, kind: object, error: BaseException | None, _: object) -> None:
        if error is not None:
            hook.on_exception(self, error)

    def _objective(self) -> Objective:
        own = (
            config_objective(self.config)
            if self.loss is None
            else as_objective(self.loss, self.config)
        )
        return self.model.objective(own)

    def embed_side(self, loader: TripletLoader) -> HostArray:
        """Embeddings of ``loader.items``, in order, under the present model."""
        return self.model.embed(self._rows_of(loader))

    def _embed_together(self, loader: TripletLoader) -> HostArray:
        """The same as ``embed_side``, its rows shared out over the processes."""
        rows = self._rows_of(loader)
        ops, encode = self.model.ops, self.model.encode
        if self.world.size == 1 and self.model.network.embedding is None:
            return self.model.embed(rows, held=self._held)
        return shared_rows(self.world, ops, "embeddings of held-out rows", rows[:], encode)

    def validate(self, loader: TripletLoader | None) -> dict[str, float]:
        """The loss and its metrics over a loader's batches, embedded as ``encode`` does, each batch
        weighted by its triplets, and what ``retrieval`` finds. Empty without rows."""
        if not _has_rows(loader):
            return {}
        return self._measure(loader, self.embed_side(loader))

    def _measure(self, loader: TripletLoader, embeddings: HostArray) -> dict[str, float]:
        metrics: dict[str, float] = {}
        if len(loader) > 0:
            metrics = validate(self.model, self.config, self._objective(), loader, embeddings)
        return metrics | retrieval(self.model, loader, embeddings)

    def _rows_of(self, loader: TripletLoader) -> ChosenRows:
        """The vectors of ``loader.items``, in order."""
        return ChosenRows(self._vectors_of(loader), loader.items)

    def _known_rows_of(
        self, val_loader: TripletLoader | None, loader: TripletLoader
    ) -> ChosenRows | None:
        """The vectors of the held-out rows whose classes are trained on."""
        if not _has_rows(val_loader):
            return None
        known = set(loader.labels.tolist())
        places = [place for place, own in enumerate(val_loader.labels.tolist()) if own in known]
        return ChosenRows(self._vectors_of(val_loader), val_loader.items[places])

    def _vectors_of(self, loader: TripletLoader) -> HostArray:
        """The vectors of the loader's whole dataset, (num_items, input_dim), made once.

        Texts are encoded by the model's encoder, fitted on this loader's texts where there is none.
        """
        model, dataset = self.model, loader.dataset
        for known, vectors in self._vectors:
            if known is dataset:
                return vectors
        if dataset.texts is not None and model.encoder is None:
            from ..data import default_encoder

            texts = [dataset.texts[item] for item in loader.items]
            _log.info("fitting a text encoder on %s texts", f"{len(texts):,}")
            model.encoder = default_encoder(model.config).fit(texts)
        vectors = shared_rows(self.world, model.ops, "vectors", dataset.inputs, model.vectors)
        self._vectors.append((dataset, vectors))
        return self._vectors[-1][1]


AdvancedTrainer = Trainer


def _named(phase: str, shown: bool) -> AbstractContextManager[object]:
    """A bar of a phase that has no parts, where standard error is a terminal and ``shown``."""
    from ..data import progress_bar

    return progress_bar(phase, 1, shown)


def _has_rows(loader: TripletLoader | None) -> TypeGuard[TripletLoader]:
    return loader is not None and len(loader.items) > 0


def _sides(
    given: Sequence[TripletLoader | None],
    train_loader: TripletLoader | None,
    val_loader: TripletLoader | None,
) -> tuple[TripletLoader | None, TripletLoader | None]:
    """Both loaders, of which some were given by position."""
    if len(given) > 2:
        raise ValueError(f"loaders must be two at most, received {len(given)} by position")
    sides = {"train_loader": train_loader, "val_loader": val_loader}
    for name, loader in zip(sides, given, strict=False):
        if sides[name] is not None:
            raise ValueError(f"{name} must be given once, received one by position and one by name")
        sides[name] = loader
    train, val = sides.values()
    _check_kinds(train, val, (), None)
    return train, val


def _check_own(optimizer: object, scheduler: object) -> None:
    pair = (getattr(optimizer, name, None) for name in ("init", "update"))
    rule = "must have the functions init and update, as dtgcnn.optim.Optimizer; names go in config"
    refuse_unless(optimizer is None or all(map(callable, pair)), "optimizer", rule, optimizer)
    rule = "must be a function of the step to its learning rate; names go in config"
    refuse_unless(scheduler is None or callable(scheduler), "scheduler", rule, scheduler)


def listed(callbacks: Iterable[Callback]) -> list[Callback]:
    """Callbacks as a list; what gives them once is asked once."""
    rule = "must be a list of Callback objects"
    refuse_unless(isinstance(callbacks, Iterable), "callbacks", rule, callbacks)
    return list(callbacks)


def _check_kinds(loader: object, val_loader: object, hooks: Sequence[object], loss: object) -> None:
    for name, given in (("train_loader", loader), ("val_loader", val_loader)):
        rule = "must be a TripletLoader, such as TripletDataset.create_dataloaders gives"
        refuse_unless(given is None or hasattr(given, "batches"), name, rule, given)
    for hook in hooks:
        refuse_unless(isinstance(hook, Callback), "callbacks", "must be Callback objects", hook)
    refuse_unless(loss is None or callable(loss), "loss", "must be a function", loss)


def _leave_ready(run: TrainingRun, kind: object, error: BaseException | None, _: object) -> None:
    """Let a model whose training broke off encode as its weights are by now."""
    if error is not None:
        run.world = ALONE  # the other processes may be gone
        with suppress(Exception):  # of the two errors the first one tells what went wrong
            run.refresh_bank()


def _check(outputs: dict[str, float], step: int, epoch: int) -> None:
    """Refuse to go on from a step that went wrong."""
    where, advice = f"at step {step} of epoch {epoch}", "lower learning_rate or gradient_clip_val"
    for name, what in (("loss", "the loss"), ("gradient_norm", "the gradient's norm")):
        if not abs(outputs[name]) < float("inf"):
            raise TrainingError(f"{what} is {outputs[name]} {where}: {advice}")
    if outputs.get("loss_scale", 1.0) < 1.0:
        raise TrainingError(
            f"float16's gradients are not finite {where}, however small the loss's scale: "
            f"{advice}, or choose mixed_precision='bfloat16'"
        )
