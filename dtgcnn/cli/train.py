"""``dtgcnn train``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ..backends import load_ops
from ..callbacks import SaveEveryEpoch
from ..checkpoint import check_folder, holds_model
from ..config import DTGCNNConfig
from ..config_file import read_settings
from ..data import Encoder, PieceEncoder, TripletDataset, default_encoder, make_encoder
from ..files import write_json
from ..model import DTGCNN, device_option
from ..report import Comparison, compare
from ..resume import holds_state, remove_states
from ..templates import TEMPLATES, suggest, template_of
from ..trainer import Trainer
from .main import INTERRUPTED, main
from .options import (
    backend_option,
    file_argument,
    named,
    overwrite_option,
    parse_settings,
)

__all__ = ["train"]

STATE = ".state"
"""The folder, in that of the model, where the state of an unfinished run is."""

TEXT_INPUT_DIM = 384
"""Width of text vectors where the user names none."""

PIECES = {"vocab_size": 8000, "max_length": 64, "input_dim": 256}
"""The embedding layer that ``--encoder pieces`` makes, where the user names no other."""


@main.command()
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option("--epochs", type=int, help="Passes over the data  [default: by its size]")
@click.option("--batch-size", type=int, help="Rows, or triplets, per step  [default: 128]")
@click.option("--learning-rate", type=float, help="Peak step size  [default: 0.001]")
@click.option("--margin", type=float, help="Triplet margin  [default: 0.2]")
@click.option("--k", type=int, help="Neighbours per node of the graph  [default: 10]")
@click.option("--seed", type=int, help="Source of every random choice  [default: 0]")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings in TOML or JSON."
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any of dtgcnn settings."
)
@click.option(
    "--template",
    type=click.Choice(["auto", *TEMPLATES]),
    help="Cautious settings for the size of the data; auto picks by it.",
)
@click.option(
    "--encoder",
    "encoder_spec",
    metavar="SPEC",
    help="What makes vectors of texts: tfidf, hashing, sentence-transformer:MODEL, "
    "model2vec:MODEL, mlx:MODEL; MODEL is a folder or a name on the Hugging Face hub. pieces "
    "trains an embedding layer instead  [default: tfidf]",
)
@click.option("--no-cache", is_flag=True, help="Keep no vectors of texts for the next run.")
@click.option("--train-split", default=0.9, show_default=True, help="Share not held out.")
@click.option("--no-map", is_flag=True, help="Draw no picture of the embedding space.")
@click.option("--resume", is_flag=True, help="Go on with a run that did not finish.")
@click.option(
    "--save-every", type=click.IntRange(1), metavar="STEPS", help="Keep its state more often."
)
@backend_option
@overwrite_option
def train(
    file: Path,
    output: Path,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    margin: float | None,
    k: int | None,
    seed: int | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    template: str | None,
    encoder_spec: str | None,
    no_cache: bool,
    train_split: float,
    no_map: bool,
    resume: bool,
    save_every: int | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Train a model on FILE and save it in a folder.

    Labelled data with a split column: trains on the rows "train" and is measured on the rows
    "test". Otherwise a part is held out to measure. The model is saved after every epoch, so an
    interrupt (Ctrl-C) loses no finished one; the same command with --resume goes on from there, and
    begins where there is nothing yet. An option overrides --set, both override --config, and all of
    them --template.

    \b
    Examples:
      dtgcnn train triplets.json --output model
      dtgcnn train tickets.csv --output model --epochs 50 --set dropout_rate=0.3
      dtgcnn train tickets.csv --output model --encoder sentence-transformer:all-MiniLM-L6-v2
      dtgcnn train vectors.npz --output model --set "hidden_dims=[512, 256]"
    """
    state_dir = output / STATE
    unfinished = holds_state(state_dir)
    if holds_state(state_dir, begun=True) and not (resume or overwrite):
        raise ValueError(
            f"--output {output} holds a run that did not finish: --resume goes on with it, "
            "--overwrite begins anew"
        )
    if resume and holds_model(output) and not (unfinished or overwrite):
        raise ValueError(
            f"--output {output} holds a finished model, there is no run to resume: --overwrite "
            "begins anew"
        )
    named("--output", check_folder, output, overwrite or (resume and unfinished))
    given: dict[str, Any] = {
        "num_epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "triplet_margin": margin,
        "graph_k_neighbors": k,
        "seed": seed,
    }
    chosen = {} if config_file is None else read_settings(config_file)
    chosen |= parse_settings(settings) | {name: v for name, v in given.items() if v is not None}
    if encoder_spec == PieceEncoder.name:
        chosen = PIECES | chosen
    config = DTGCNNConfig.from_dict(chosen)
    ops = load_ops(backend, **device_option(config))
    dataset = TripletDataset(file)
    rows = len(dataset.training_items() if dataset.triplets is None else dataset)
    cautious = {} if template is None else TEMPLATES.get(template, template_of(rows))
    config = DTGCNNConfig.from_dict(cautious | chosen)
    if dataset.features is not None and encoder_spec is not None:
        raise ValueError(f"--encoder goes with texts, {file} holds vectors")
    encoder = None
    if "input_dim" not in chosen and config.vocab_size is None:
        width = TEXT_INPUT_DIM if dataset.features is None else dataset.features.shape[1]
        config = config.replace(input_dim=width)
    if dataset.features is None:
        encoder = _encoder_of(encoder_spec, config, cache=not no_cache)
        if "input_dim" not in chosen and config.vocab_size is None:
            config = config.replace(input_dim=encoder.dim)
    loader, val_loader = dataset.create_dataloaders(
        config.batch_size, train_split, config.seed, config.samples_per_class
    )
    few = {"graph_k_neighbors": max(1, min(config.graph_k_neighbors, len(loader.items) - 1))}
    config = config.replace(**((cautious or suggest(rows, len(loader))) | few | chosen))
    model = DTGCNN(config, ops=ops, encoder=encoder)
    saving = SaveEveryEpoch(output, overwrite=overwrite)
    if unfinished and not resume:
        remove_states(state_dir)
    trainer = Trainer(
        model,
        train_loader=loader,
        val_loader=val_loader,
        callbacks=[saving],
        state_dir=state_dir,
        save_every_n_steps=save_every,
    )
    click.echo(
        f"{file}: {len(dataset):,} {'triplets' if dataset.triplets is not None else 'rows'}; "
        f"{len(loader)} steps an epoch, {config.num_epochs} epochs, "
        f"{'' if encoder is None else f'encoder {encoder_spec or encoder.name}, '}"
        f"backend {ops.name} ({ops.device})",
        err=True,
    )
    begin = time.perf_counter()
    try:
        if encoder is not None and dataset.texts is not None:
            encoder.fit([dataset.texts[item] for item in loader.items])
        trainer.train(resume=resume)
        click.echo(f"trained in {time.perf_counter() - begin:.0f} s", err=True)
        result = compare(model, dataset, loader, val_loader)
        figures = {} if result is None else result.to_dict()
        write_json(output / "metrics.json", {**figures, "history": trainer.history})
        if result is None:
            click.echo("nothing was held out that could be measured", err=True)
        else:
            click.echo(f"\n{result.protocol}\n\n{result.table()}\n")
            if not no_map:
                _draw_map(result, output / "map.png")
    except KeyboardInterrupt:
        done = saving.last_epoch
        kept = f"{output} holds the model of epoch {done}" if done else "nothing was saved"
        more = "; --resume goes on" if holds_state(state_dir) else ""
        click.echo(f"\ninterrupted: {kept}{more}", err=True)
        sys.exit(INTERRUPTED)
    remove_states(state_dir)
    click.echo(f"model saved in {output}")


def _encoder_of(spec: str | None, config: DTGCNNConfig, cache: bool) -> Encoder:
    """The encoder that the user names, or the one that suits the settings."""
    if spec is None or spec == PieceEncoder.name:
        return default_encoder(config)
    if config.vocab_size is not None:
        raise ValueError(f"--encoder must be pieces where vocab_size is set, received {spec!r}")
    return make_encoder(spec, config.input_dim, cache=cache)


def _draw_map(result: Comparison, path: Path) -> None:
    from ..plots import plot_embedding_map

    panels = {"Input vectors": result.input_vectors, "Trained embedding": result.embeddings}
    try:
        plot_embedding_map(panels, result.labels, path, label_names=result.label_names)
    except ImportError as error:
        click.echo(f"no map: {error}", err=True)
    else:
        click.echo(f"map of the embedding space: {path}")
