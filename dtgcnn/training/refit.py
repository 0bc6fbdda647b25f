"""Training anew on the held-out rows too, once they have chosen how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from typing_extensions import override

from ..callbacks import Callback, StopAfter, TrainerView
from ..errors import TrainingError
from .trainer import Trainer

if TYPE_CHECKING:
    from ..data import Encoder, TripletDataset

__all__ = ["train_on_all"]


class _Advance(Callback):
    """Tells of each epoch that is done."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        self.advance(1)


def train_on_all(
    trainer: Trainer,
    dataset: TripletDataset,
    encoder: Encoder | None = None,
    advance: Callable[[int], None] | None = None,
    *,
    keep: bool = True,
) -> Trainer:
    """Train a new model as ``trainer`` did up to its best epoch, on the held-out rows as well, with
    its loss, optimiser and schedule. Its callbacks are not called.

    Where its model was loaded, the new one goes on from what that was then.

    Args:
        trainer: trained, with held-out rows.
        dataset: what its loaders were made of.
        encoder: of texts, not fitted yet: it is fitted on all texts that are trained on. The
            model's own where not given, as it must be of a model that was loaded; and where a
            corpus was trained on too, which that one knows, of more rows than were held out, unless
            it learns from labels.
        advance: told of each of the ``trainer.best_epoch`` epochs.
        keep: whether the model of ``trainer`` stays as it is. Without, it lets go of its rows
            before those of the new one are there too; see ``DTGCNN.forget_rows``.

    Returns:
        The trainer of the new model, which has no held-out rows, and the calibration of the one
        that had.

    Raises:
        TrainingError: ``trainer`` has no best epoch.
        ValueError: an encoder is given, and the model was loaded.
    """
    if trainer.best_epoch is None:
        raise TrainingError("the trainer must have a best epoch, chosen on held-out rows")
    if encoder is not None and trainer.model.origin is not None:
        raise ValueError("encoder must be left out: a model that was loaded keeps its own")
    from ..data import fit_encoder, takes_labels, with_pseudo_labels_by

    config, model, before = trainer.config, trainer.model, trainer.train_loader
    unlabelled = before is not None and len(before.pseudo) > 0
    loader, nothing = dataset.create_dataloaders(
        config.batch_size, 1.0, config.seed, config.samples_per_class
    )
    held_out = 0 if trainer.val_loader is None else len(trainer.val_loader.items)
    knows = unlabelled and len(dataset.unlabelled_items()) >= held_out
    fresh = encoder is not None and (takes_labels(encoder) or not knows)
    if not fresh:
        encoder = model.encoder
    elif encoder is not None:
        fit_encoder(encoder, loader, unlabelled)
    again = type(model)(config, ops=model.ops, encoder=encoder, **model.extras())
    if model.origin is not None:
        again.go_on_from(model.origin)
    again.frozen, again.codes_longer = model.frozen, model.codes_longer
    again.standardize = model.standardizes
    if not keep:
        model.forget_rows()
    if unlabelled:
        loader, _ = with_pseudo_labels_by(
            encoder,
            loader,
            learn=fresh,
            most=config.bank_size,
            seed=config.seed,
            always=True,
            standardize=again.standardize,
        )
    final = Trainer(
        again,
        train_loader=loader,
        val_loader=nothing,
        callbacks=[StopAfter(trainer.best_epoch), *([_Advance(advance)] if advance else [])],
        progress=False,
        loss=trainer.loss,
        optimizer=trainer.optimizer,
        scheduler=trainer.scheduler,
    )
    final.train()
    again.calibration = model.calibration
    return final
