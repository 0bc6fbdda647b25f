"""``Callback``: the hooks that training calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..array import HostArray, Tree
from ..config import DTGCNNConfig
from ..model import DTGCNN

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["Callback", "TrainerView"]


class TrainerView(Protocol):
    """What a callback may use of the ``Trainer`` that calls it."""

    model: DTGCNN
    config: DTGCNNConfig
    train_loader: TripletLoader | None
    val_loader: TripletLoader | None
    history: list[dict[str, float]]
    should_stop: bool
    global_step: int
    steps_per_epoch: int
    resumed: bool
    best_epoch: int | None

    def embed_side(self, loader: TripletLoader) -> HostArray:
        """Embeddings of ``loader.items``, in order, under the present model."""
        ...


class Callback:
    """Subclass it and override the hooks of interest; each does nothing here.

    They are called in this order, each for all callbacks, in the order in which these were given:

    ```
    on_train_begin
        load_state_dict              where a run is resumed
        on_epoch_begin               for each epoch
            on_batch_begin           for each step
            on_batch_end
            on_validation_begin      where there is a validation side
            on_validation_end
            on_epoch_end
        on_exception                 where training ends by an error or an interrupt
    on_train_end
    ```

    ``trainer`` gives ``model``, ``config``, ``history``, ``global_step``, ``steps_per_epoch``,
    ``train_loader`` and ``val_loader``; setting ``trainer.should_stop`` ends training after the
    running epoch. An error that a hook raises ends training.

    Where several processes train together, a callback is called on the first of them alone, which
    prints and saves; one that changes what is trained, or on what, sets ``every_process``.
    """

    every_process: ClassVar[bool] = False
    """Whether it is called on every process."""

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Before any work, texts not yet encoded. An error raised here stops training."""

    def on_epoch_begin(self, trainer: TrainerView, epoch: int) -> None:
        """Before the first batch of ``epoch`` = 1, 2, …; again where a run is resumed within it."""

    def on_batch_begin(self, trainer: TrainerView, batch: Any, batch_idx: int) -> None:
        """Before each step, the parameters still those that it starts from. ``batch`` is the
        loader's, the last of them where a step accumulates several; ``batch_idx`` counts from 0 in
        the epoch."""

    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        """After each step. ``outputs`` holds the step's metrics as floats (``"loss"``, …), which
        may be NaN: training that has to end for it does so after this hook."""

    def on_validation_begin(self, trainer: TrainerView) -> None:
        """After an epoch's last step, before its validation, the model ready to encode."""

    def on_validation_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        """After it. ``metrics`` are those of the validation side, their names with ``val_``; what
        is added to them is added to the epoch's."""

    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        """After an epoch and its validation, the model ready to encode. ``metrics`` are the epoch's
        means; those of validation begin with ``val_``. They are the entry of ``history``: what is
        added to them is kept there."""

    def on_exception(self, trainer: TrainerView, error: BaseException) -> None:
        """When ``error`` ends training, ``KeyboardInterrupt`` too, just before ``on_train_end``."""

    def on_train_end(self, trainer: TrainerView) -> None:
        """After the last epoch; also when training stops early by an error or an interrupt."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know, as JSON's types; saved with the state of the run: before
        the first step, after every epoch and every ``save_every_n_steps``."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave. Called after ``on_train_begin``."""
