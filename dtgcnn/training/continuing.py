"""Going on from a trained model: which models, with which data, and what measures it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..array import ArrayOps
from ..config import DTGCNNConfig
from ..errors import CheckpointError
from ..model import DTGCNN

if TYPE_CHECKING:
    from ..data import Items, TripletDataset, TripletLoader

__all__ = ["changed_classes", "load_trained", "sides"]


def load_trained(directory: str | Path, ops: ArrayOps) -> DTGCNN:
    """The trained model in ``directory``, to go on from.

    Raises:
        CheckpointError: there is none, it is damaged, untrained, or an ensemble is there.
        ValueError: an index is there, or a model of another class.
    """
    from ..storage import holds_index, main_file

    directory = Path(directory)
    if holds_index(main_file(directory)):
        raise ValueError(f"{directory}: must hold a trained model, it holds an index of one")
    model = DTGCNN.load(directory, ops=ops)
    if type(model) is not DTGCNN:
        kind = type(model).__name__
        raise ValueError(
            f"{directory}: must hold a DTGCNN, it holds a {kind}, whose tasks no file tells: "
            f"go on from Python, by Trainer({kind}.load(...), ...)"
        )
    if model.bank is None:
        raise CheckpointError(f"{directory}: must hold a trained model, this one has no bank")
    return model


def sides(
    model: DTGCNN, dataset: TripletDataset, config: DTGCNNConfig, train_split: float
) -> tuple[TripletLoader, TripletLoader, int]:
    """Loaders of a training and a validation side, without held-out rows of the model's bank but
    those whose labels it did not know: it was trained on them, so they cannot tell whether more
    training helps.

    Args:
        model: trained.
        dataset: what to go on with.
        config: the settings of batches and split.
        train_split: share of the training side.

    Returns:
        Both loaders, and how many of the held-out rows, or texts of triplets, were the model's.
        Where all were, none is held out, and all rows are on the training side.
    """

    def loaders(share: float) -> tuple[TripletLoader, TripletLoader]:
        return dataset.create_dataloaders(
            config.batch_size, share, config.seed, config.samples_per_class
        )

    loader, held_out = loaders(train_split)
    items = held_out.items
    if not len(items):
        return loader, held_out, 0
    rows = model.bank_rows_of(model.vectors(dataset.inputs_of(items)))
    labels = model.trained_bank().labels or [0] * len(model.trained_bank())
    places = zip(items, rows, strict=True)
    known = [int(item) for item, row in places if row >= 0 and labels[row] >= 0]
    left = held_out.without(known) if known else held_out
    return (loader, left, len(known)) if len(left.items) else (*loaders(1.0), len(known))


def changed_classes(model: DTGCNN, data: Items) -> str:
    """Which classes of the data are new to the model, and which of its own have no row among them;
    empty where they are the same."""
    before, after = model.classes_ or [], data.label_names or []
    new = [name for name in after if name not in set(before)]
    gone = [name for name in before if name not in set(after)]
    parts = []
    if before and new:
        parts.append(f"classes that are new to the model: {_listed(new)}")
    if gone:
        parts.append(f"classes of the model that have no row here and leave it: {_listed(gone)}")
    return "; ".join(parts)


def _listed(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
