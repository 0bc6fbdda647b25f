"""Training up to its first step, to find out whether it would be refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..array import Tree
from ..callbacks import Callback
from ..callbacks.base import TrainerView
from ..model import DTGCNN
from .trainer import Trainer

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["rehearse"]


class _Rehearsed(Exception):
    """The first step was taken."""


class _FirstStep(Callback):
    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        raise _Rehearsed


def rehearse(
    model: DTGCNN,
    loader: TripletLoader,
    val_loader: TripletLoader | None = None,
    *,
    first_step: bool = True,
) -> None:
    """Do what ``Trainer.train`` does up to the end of its first step; the model is of no use then.

    Args:
        model: not trained.
        loader, val_loader: as of ``Trainer``.
        first_step: whether there is one, or all rows become vectors and no more, which takes
            seconds where the start and the graph of many rows take a minute.

    Raises:
        ValueError, DTGCNNError: what training would be refused with.
    """
    from ..data import fit_encoder

    if model.encoder is not None and not len(loader.pseudo):
        fit_encoder(model.encoder, loader, unlabelled=False)
    if not first_step:
        model.vectors(loader.dataset.inputs)
        return
    trainer = Trainer(
        model,
        train_loader=loader,
        val_loader=val_loader,
        callbacks=[_FirstStep()],
        progress=False,
    )
    with suppress(_Rehearsed):
        trainer.train()
