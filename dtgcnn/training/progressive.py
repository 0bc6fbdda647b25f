"""``ProgressiveTrainer``: training in stages, each with parts of the model frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..array import flatten
from ..callbacks import Callback
from ..config import DTGCNNConfig
from ..losses import LossFunction, NamedLoss
from ..model import DTGCNN
from ..optim import Optimizer
from .trainer import Trainer, listed

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["ProgressiveTrainer", "Stage", "guide_stages"]


@dataclass(frozen=True)
class Stage:
    """A part of a training run.

    Args:
        name: what it is called, in messages.
        epochs: passes over the training data.
        learning_rate: its peak step size.
        frozen: holds for the dotted names of parameters that stay as they are; None for none.
    """

    name: str
    epochs: int
    learning_rate: float
    frozen: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, received {self.epochs}")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate must be above 0, received {self.learning_rate}")


def guide_stages(config: DTGCNNConfig) -> tuple[Stage, ...]:
    """The embedding layer alone (5 epochs), the graph convolutions alone (10), then all of the
    model, as ``config`` has it."""
    return (
        Stage("embedding layer", 5, 1e-3, lambda name: name.startswith("gcn.")),
        Stage("graph convolutions", 10, 5e-4, lambda name: name.startswith(config.embedding_layer)),
        Stage("whole model", config.num_epochs, config.learning_rate),
    )


class ProgressiveTrainer:
    """Trains a model stage by stage; a stage's frozen parameters keep every bit.

    Each stage is a run of ``Trainer`` of its own: its optimiser starts anew, and its learning rate
    follows the config's schedule over the stage's epochs, with a warm-up of the same share of them.

    Args:
        model: the model to train.
        config: the training settings; the model's own where not given.
        stages: what to train, in order; ``guide_stages(config)`` where not given.
        callbacks, progress, loss, optimizer, save_every_n_steps: as for ``Trainer``.
        scheduler: as for ``Trainer``, in place of the stages' learning rates; each stage begins
            with step 0.
        state_dir: where the state of each stage is kept, so that a killed run can be resumed.

    Raises:
        ValueError: there is no stage, or ``config`` shapes another model.
    """

    def __init__(
        self,
        model: DTGCNN,
        config: DTGCNNConfig | None = None,
        *,
        stages: Sequence[Stage] | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        loss: LossFunction | NamedLoss | None = None,
        optimizer: Optimizer | None = None,
        scheduler: Callable[[int], float] | None = None,
        state_dir: str | Path | None = None,
        save_every_n_steps: int | None = None,
    ) -> None:
        self.model = model
        self.config = model.config if config is None else config
        self.config.require_same_model(model.config)
        self.stages = tuple(guide_stages(self.config) if stages is None else stages)
        if not self.stages:
            raise ValueError("stages must name one stage or more, received none")
        self.callbacks = listed(callbacks)
        self.progress = progress
        self.loss, self.optimizer, self.scheduler = loss, optimizer, scheduler
        self.state_dir = None if state_dir is None else Path(state_dir)
        self.save_every_n_steps = save_every_n_steps
        self.histories: list[list[dict[str, float]]] = []
        """The history of each stage of the last run."""

    def train_progressive(
        self,
        train_loader: TripletLoader,
        val_loader: TripletLoader | None = None,
        *,
        resume: bool = False,
    ) -> list[list[dict[str, float]]]:
        """Train all stages and leave the model ready to encode. Returns ``histories``.

        What was frozen before is frozen again afterwards. With ``resume`` a stage that has ended is
        not trained again.

        Raises:
            ValueError: a stage freezes every parameter or names none; or as ``Trainer.train``.
        """
        before, self.histories = self.model.frozen, []
        try:
            frozen = [self._frozen_in(stage) for stage in self.stages]  # refused before any work
            for number, stage in enumerate(self.stages, 1):
                self.model.frozen = frozen[number - 1]
                history = self.train_stage(
                    train_loader,
                    val_loader,
                    stage.epochs,
                    stage.learning_rate,
                    state_dir=self.state_dir and self.state_dir / f"stage-{number}",
                    resume=resume,
                )
                self.histories.append(history)
        finally:
            self.model.frozen = before
        return self.histories

    def train_stage(
        self,
        train_loader: TripletLoader,
        val_loader: TripletLoader | None,
        epochs: int,
        lr: float,
        *,
        state_dir: Path | None = None,
        resume: bool = False,
    ) -> list[dict[str, float]]:
        """Train what is not frozen for ``epochs``, at the peak learning rate ``lr``."""
        trainer = Trainer(
            self.model,
            self.config.replace(num_epochs=epochs, learning_rate=lr, **self._warmup(epochs)),
            train_loader=train_loader,
            val_loader=val_loader,
            callbacks=self.callbacks,
            progress=self.progress,
            loss=self.loss,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            state_dir=state_dir,
            save_every_n_steps=None if state_dir is None else self.save_every_n_steps,
        )
        try:
            return trainer.train(resume=resume)
        finally:
            changed = ("num_epochs", "learning_rate", "warmup_epochs", "warmup_steps")
            own = {name: getattr(self.config, name) for name in changed}
            self.model.config = trainer.config.replace(**own)

    def _warmup(self, epochs: int) -> dict[str, Any]:
        """The warm-up of a stage, as large a share of it as the config's is of its epochs."""
        config, share = self.config, epochs / self.config.num_epochs
        if config.scheduler == "one_cycle":
            return {}
        if config.warmup_steps is not None:
            return {"warmup_steps": round(config.warmup_steps * share)}
        return {"warmup_epochs": config.warmup_epochs * share}

    def _frozen_in(self, stage: Stage) -> frozenset[str]:
        self.model.unfreeze_all()
        if stage.frozen is not None:
            self.model.freeze(stage.frozen)
        if len(self.model.frozen) == len(flatten(self.model.params)):
            raise ValueError(f"the stage {stage.name!r} freezes every parameter")
        return self.model.frozen
