"""``StateKeeper``: what of a trainer goes into a saved state, and comes back from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..array import HostArray
from ..array.distributed import World
from ..callbacks import Callback, CollapseWatch, ProgressBar, TrainerView
from ..callbacks.pace import Pace
from ..errors import CheckpointError
from .together import agreed
from .training_run import TrainingRun
from .training_state import LOCK, Place, TrainingState, content_of, fingerprint, record_run

__all__ = ["StateKeeper", "hold", "saved_state"]

_STATELESS = (ProgressBar, CollapseWatch)
"""Callbacks without a state, which a resumed run may have or lack."""


@contextmanager
def hold(directory: Path | None, name: str = LOCK) -> Iterator[None]:
    """Keep other processes from training in ``directory`` while the context lasts, by a lock file
    of this name.

    Folders that are made for it are gone again where nothing was saved in them.

    Raises:
        BlockingIOError: one does already.
    """
    if directory is None:
        yield
        return
    from ..storage import lock

    made = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with lock(directory / name):
            yield
    finally:
        with suppress(OSError):  # something lies in one of them
            for path in made:
                path.rmdir()


def saved_state(directory: Path | None, resume: bool) -> TrainingState | None:
    """The state in ``directory`` to go on from, None to begin.

    Raises:
        ValueError: ``resume`` without a directory.
        FileExistsError: not ``resume``, and there is the state of a run that has taken a step.
        CheckpointError: there are states, and all are damaged, or of a release with other random
            numbers.
    """
    if directory is None:
        if resume:
            raise ValueError("resume needs the state_dir of the run to go on with")
        return None
    state = TrainingState.latest(directory)
    if state is None:
        return None
    if resume:
        state.check_format(directory)
        return state
    if state.global_step > 0:
        raise FileExistsError(
            f"{directory} holds the state of a run; train(resume=True) goes on with it"
        )
    return None


class StateKeeper:
    """Saves the state of a trainer's run in a folder; does nothing where there is none.

    Args:
        directory: the trainer's ``state_dir``.
        trainer, run, hooks: whose state it is.
        vectors: (num_items, input_dim), of the training data, by which these are known again.
        own: the trainer's own loss, optimiser and schedule by name, None where it has none.
        world: the processes of the run, of which the first alone saves.
    """

    def __init__(
        self,
        directory: Path | None,
        trainer: TrainerView,
        run: TrainingRun,
        hooks: list[Callback],
        vectors: HostArray,
        own: Mapping[str, object],
        world: World,
    ) -> None:
        self.directory, self.trainer, self.run, self.own = directory, trainer, run, own
        self.world = world
        self.hooks = [hook for hook in hooks if not isinstance(hook, _STATELESS)]
        self.made_with: dict[str, Any] = {}
        self.data = ""
        self.origin: str | None = None
        self._waiting: TrainingState | None = None
        self._pace = Pace()
        kept = self.directory is not None or world.size > 1
        if kept and trainer.train_loader is not None:
            self.made_with = trainer.model.made_with()
            if trainer.model.origin is not None:
                self.origin = trainer.model.origin.digest(trainer.model.ops)
            self.data = fingerprint(trainer.train_loader, vectors)
            if trainer.val_loader is not None and len(trainer.val_loader.items) > 0:
                held_out = trainer.val_loader
                content = content_of(held_out.dataset, held_out.items)
                self.data += f" {fingerprint(held_out)} {content}"

    def begin(self, state: TrainingState | None) -> Place:
        """Go on from ``state``, or save the first one. Returns where the run is.

        Raises:
            ValueError: the state is that of another run.
            CheckpointError: it lacks something.
            DistributedError: the processes were given unlike things.
        """
        trainer, frozen = self.trainer, sorted(self.trainer.model.frozen)
        agreed(self.world, trainer.config, self.data, self._model(), frozen, self.made_with)
        place = Place() if state is None else self._restore(state)
        if self.directory is None:
            return place
        record_run(self.directory, self.trainer.config, self.made_with)
        if state is None:
            self.save(place)
        return place

    def save(self, place: Place, *, paced: bool = False) -> None:
        """Save the state of a run that is at ``place``; with ``paced`` so seldom that this takes no
        more than a fortieth of the time, or else where the run breaks off."""
        if self.directory is None:
            return
        trainer = self.trainer
        numbers, arrays = self.run.state_dict()
        self._waiting = TrainingState(
            config=trainer.config.to_dict(),
            data=self.data,
            model=self._model(),
            frozen=sorted(trainer.model.frozen),
            place=deepcopy(place),
            history=deepcopy(trainer.history),
            global_step=trainer.global_step,
            finished=trainer.should_stop,
            run=numbers,
            callbacks=[(type(hook).__name__, deepcopy(hook.state_dict())) for hook in self.hooks],
            origin=self.origin,
            made_with=self.made_with,
            arrays=arrays,
        )
        if not paced or self._pace.due:
            with self._pace.saving() if paced else nullcontext():
                self._waiting.save(self.directory)
            self._waiting = None

    def close(self, kind: object, error: BaseException | None, _: object) -> None:
        """Save what was passed over, where the run ends by an error."""
        if self.directory is not None and error is not None and self._waiting is not None:
            with suppress(Exception):  # of the two errors the first one tells what went wrong
                self._waiting.save(self.directory)

    def _model(self) -> dict[str, Any]:
        model = self.trainer.model
        own = {
            name: getattr(given, "__qualname__", type(given).__name__)
            for name, given in self.own.items()
            if given is not None
        }
        return {"class": type(model).__name__, **model.extras(), **own}

    def _restore(self, state: TrainingState) -> Place:
        trainer, frozen = self.trainer, sorted(self.trainer.model.frozen)
        state.check_origin(self.origin)
        state.check(trainer.config, self.data, self._model(), frozen, self.hooks, self.made_with)
        try:
            self.run.load_state_dict(state.run, state.arrays)
        except KeyError as error:
            raise CheckpointError(f"{self.directory}: the state has no {error}") from None
        trainer.history, trainer.global_step = state.history, state.global_step
        trainer.should_stop = state.finished
        for hook, (_, known) in zip(self.hooks, state.callbacks, strict=True):
            if self.world.is_first or hook.every_process:
                hook.load_state_dict(known)
        return state.place
