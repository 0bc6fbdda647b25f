"""A model of labelled rows in one call, as ``dtgcnn train`` makes it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ..config import DTGCNNConfig, suggest
from ..model import DTGCNN, ChosenRows
from .refit import train_on_all
from .trainer import Trainer

if TYPE_CHECKING:
    from ..data import Encoder, TripletDataset

__all__ = ["TEXT_INPUT_DIM", "fit_rows", "input_dim_of"]

TEXT_INPUT_DIM = 384
"""Width of text vectors where no config names one."""

WIDE_INPUT_DIM, MANY_ROWS = 768, 2_000
"""That of TF-IDF of so many labelled rows or more: fewer cannot tell so many directions from
chance."""


def input_dim_of(dataset: TripletDataset, encoder: str | Encoder | None) -> int:
    """Width of the rows that go into a model where no config names one: as wide as vectors are, and
    of texts 384, or 768 by TF-IDF alone where there are many rows of known classes."""
    if dataset.features is not None:
        return int(dataset.features.shape[1])
    chosen = encoder is None or encoder == "tfidf"
    if not chosen or dataset.triplets is not None or len(dataset.training_items()) < MANY_ROWS:
        return TEXT_INPUT_DIM
    return WIDE_INPUT_DIM


def fit_rows(
    dataset: TripletDataset,
    settings: dict[str, Any],
    config: DTGCNNConfig | None = None,
    *,
    encoder: str | Encoder | None = None,
    train_split: float = 0.8,
    backend: str = "auto",
) -> tuple[DTGCNN, int]:
    """Train a model on labelled rows, of which some may be unlabelled: held-out rows, and where all
    are labelled held-out classes, choose the epoch, and the model is then trained anew on all of
    them.

    Args:
        dataset: the rows.
        settings: what is named one by one.
        config: the other settings; those that suit the size of the data where not given.
        encoder: what makes vectors of texts, or how ``dtgcnn train --encoder`` names it; copied,
            and fitted on the texts. TF-IDF where not given.
        train_split: the share that is not held out.
        backend: a registered backend, or ``"auto"``.

    Returns:
        The model, and how many epochs it was trained.

    Raises:
        ValueError: the rows cannot be trained on, or a setting is out of range.
    """
    from ..data import equal_groups, fit_encoder, usual_classes, with_pseudo_labels_by

    texts, features = dataset.texts, dataset.features
    open_width = {}
    if features is not None or config is None:
        open_width = {"input_dim": input_dim_of(dataset, encoder)}
    whole = (config or DTGCNNConfig()).replace(**open_width | settings)
    loader, held_out = dataset.create_dataloaders(
        whole.batch_size,
        train_split,
        whole.seed,
        whole.samples_per_class,
        held_out_classes=usual_classes(dataset, train_split),
    )
    spread = len(dataset.unlabelled_items()) > 0 and whole.vocab_size is None
    fitted, vectors = None, features
    if texts is not None:
        fitted = _unfitted(encoder, whole, named="input_dim" in settings or config is not None)
        fit_encoder(fitted, loader, spread)
        vectors = fitted.encode(texts)
        if whole.vocab_size is None:
            whole = whole.replace(input_dim=fitted.dim)
    assert vectors is not None
    distinct = 1 + int(equal_groups(None, ChosenRows(vectors, loader.items)).max())
    if distinct < 2:
        raise ValueError("two rows or more must differ to be trained on, all are equal")
    if config is None:
        suits = suggest(len(loader.items), len(loader), started=whole.has_start)
        whole = whole.replace(**suits | settings)
    whole = whole.replace(graph_k_neighbors=min(whole.graph_k_neighbors, distinct - 1))
    model = DTGCNN(whole, backend=backend, encoder=fitted)
    if spread:
        loader, _ = with_pseudo_labels_by(
            fitted,
            loader,
            held_out,
            most=whole.bank_size,
            seed=whole.seed,
            standardize=whole.standardizes,
        )
    trainer = Trainer(model, train_loader=loader, val_loader=held_out, progress=False)
    trainer.train()
    if trainer.best_epoch is None:
        return trainer.model, whole.num_epochs
    fresh = None if texts is None else _unfitted(encoder, whole, named=True)
    return train_on_all(trainer, dataset, fresh, keep=False).model, trainer.best_epoch


def _unfitted(given: str | Encoder | None, config: DTGCNNConfig, named: bool) -> Encoder:
    """A new encoder, of ``input_dim`` columns in all where they are ``named``."""
    from ..data import default_encoder, make_encoder

    if given is None:
        encoder = default_encoder(config)
    elif isinstance(given, str):
        encoder = make_encoder(given, config.input_dim, in_all=named)
    elif hasattr(given, "encode"):
        encoder = deepcopy(given)
    else:
        raise ValueError(f"encoder must be a name or an Encoder, received {given!r}")
    if hasattr(encoder, "progress"):
        encoder.progress = False
    return encoder
