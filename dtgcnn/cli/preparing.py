"""What ``train`` and ``tune`` train, and ``check`` tries: settings, a new model, its loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..array import ArrayOps
from ..config import DTGCNNConfig, read_settings, suggest, unused_with
from ..data import (
    Encoder,
    Items,
    PieceEncoder,
    TripletDataset,
    TripletLoader,
    default_encoder,
    equal_groups,
    fit_encoder,
    make_encoder,
    with_pseudo_labels_by,
)
from ..model import DTGCNN, ChosenRows
from ..training import input_dim_of
from .options import parse_settings

__all__ = [
    "PIECES",
    "by_size",
    "chosen_settings",
    "count_distinct",
    "inputs_of",
    "prepared",
    "with_unlabelled",
]

PIECES = {"vocab_size": 8000, "max_length": 64, "input_dim": 256}
"""The embedding layer that ``--encoder pieces`` makes, where the user names no other."""


def chosen_settings(
    config_file: Path | None,
    settings: tuple[str, ...],
    named_options: dict[str, Any],
    encoder_spec: str | None,
) -> dict[str, Any]:
    """The settings that the user names, in a file, by ``--set`` or by options of their own; the
    later win."""
    chosen = {} if config_file is None else read_settings(config_file)
    chosen |= parse_settings(settings) | named_options
    return PIECES | chosen if encoder_spec == PieceEncoder.name else chosen


def prepared(
    dataset: TripletDataset,
    chosen: dict[str, Any],
    encoder_spec: str | None,
    ops: ArrayOps,
    cautious: dict[str, Any],
    train_split: float,
    *,
    cache: bool = True,
    quiet: bool = True,
    held_out_classes: float = 0.0,
) -> tuple[DTGCNN, TripletLoader, TripletLoader]:
    """A new model, and the loaders that train and validate it.

    Args:
        dataset: what is trained on.
        chosen: the settings that the user names.
        encoder_spec: the encoder that the user names.
        ops: the backend.
        cautious: those of a template.
        train_split: the share that trains.
        cache, quiet: as options say.
        held_out_classes: as of ``create_dataloaders``.
    """
    config, encoder = inputs_of(dataset, cautious | chosen, encoder_spec, cache, quiet)
    loader, val_loader = dataset.create_dataloaders(
        config.batch_size,
        train_split,
        config.seed,
        config.samples_per_class,
        held_out_classes=held_out_classes,
    )
    loader = with_unlabelled(dataset, loader, val_loader, encoder, config, None, quiet)
    suits = by_size(config, chosen, cautious, len(dataset.training_rows()), loader)
    model = DTGCNN(config.replace(**suits | chosen), ops=ops, encoder=encoder)
    return model, loader, val_loader


def inputs_of(
    dataset: TripletDataset, settings: dict[str, Any], spec: str | None, cache: bool, quiet: bool
) -> tuple[DTGCNNConfig, Encoder | None]:
    """The config, as wide as the vectors that go in, and what makes these of texts."""
    config = DTGCNNConfig.from_dict(settings)
    encoder, open_width = None, "input_dim" not in settings and config.vocab_size is None
    if open_width:
        config = config.replace(input_dim=input_dim_of(dataset, spec))
    if dataset.features is None:
        encoder = _encoder_of(spec, config, cache, named=not open_width)
        if quiet and hasattr(encoder, "progress"):
            encoder.progress = False
        if open_width:
            config = config.replace(input_dim=encoder.dim)
    return config, encoder


def by_size(
    config: DTGCNNConfig,
    chosen: dict[str, Any],
    cautious: dict[str, Any],
    rows: int,
    loader: TripletLoader,
) -> dict[str, Any]:
    """What the data ask for, where the user names nothing else."""
    triplets = loader.triplets is not None
    suits = cautious or suggest(rows, len(loader), started=config.has_start, triplets=triplets)
    if "loss" in suits and chosen.keys() & {"loss", *unused_with("loss", suits["loss"])}:
        suits = {n: value for n, value in suits.items() if n not in ("loss", "temperature")}
    distinct = count_distinct(loader.dataset, loader.items)
    nearest = max(1, min(config.graph_k_neighbors, distinct - 1))
    return suits | {"graph_k_neighbors": nearest}


def count_distinct(dataset: Items, items: NDArray[np.int64]) -> int:
    """How many of some rows differ: texts but for case and white space."""
    texts = None if dataset.texts is None else [dataset.texts[item] for item in items]
    rows = None if dataset.features is None else ChosenRows(dataset.features, items)
    return len(np.unique(equal_groups(texts, rows)))


def with_unlabelled(
    dataset: TripletDataset,
    loader: TripletLoader,
    val_loader: TripletLoader,
    encoder: Encoder | None,
    config: DTGCNNConfig,
    initial: DTGCNN | None,
    quiet: bool,
) -> TripletLoader:
    """A loader of the unlabelled rows too, where there are some and held-out rows say that it
    helps; unless ``quiet`` it is said. A model that training goes on from, ``initial``, has fitted
    its encoder, and standardises columns or does not."""
    count = len(dataset.unlabelled_items())
    if not count:
        return loader
    if config.vocab_size is not None:
        if not quiet:
            said = "unlabelled rows are not used with an embedding layer"
            click.echo(f"{dataset.source}: {count:,} {said}", err=True)
        return loader
    if encoder is not None and initial is None:
        fit_encoder(encoder, loader, unlabelled=True)
    loader, found = with_pseudo_labels_by(
        encoder,
        loader,
        val_loader,
        learn=initial is None,
        most=config.bank_size,
        seed=config.seed,
        standardize=config.standardizes if initial is None else initial.standardizes,
    )
    if not quiet:
        click.echo(f"{dataset.source}: {found}", err=True)
    return loader


def _encoder_of(spec: str | None, config: DTGCNNConfig, cache: bool, named: bool) -> Encoder:
    """The encoder that the user names, or the one that suits the settings; ``named`` where
    ``input_dim`` is one of those."""
    if spec is None or spec == PieceEncoder.name:
        return default_encoder(config)
    if config.vocab_size is not None:
        raise ValueError(f"--encoder must be pieces where vocab_size is set, received {spec!r}")
    return make_encoder(spec, config.input_dim, cache=cache, in_all=named)
