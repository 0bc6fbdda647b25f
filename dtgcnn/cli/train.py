"""``dtgcnn train``."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any, get_args

import click

from ..array import ArrayOps, load_ops
from ..callbacks import TRACKERS, SaveEveryEpoch, held_open, loggers_of
from ..config import TEMPLATES, DTGCNNConfig, LossName, continued, template_of
from ..data import (
    Encoder,
    FineTunedEncoder,
    SentenceTransformerEncoder,
    TripletDataset,
    TripletLoader,
    fit_encoder,
    progress_bar,
    usual_classes,
    usual_split,
)
from ..errors import CheckpointError
from ..model import DTGCNN, device_option
from ..storage import check_folder, holds_model, spec_of
from ..training import (
    Trainer,
    changed_classes,
    hold,
    holds_state,
    load_trained,
    remove_states,
    sides,
    train_on_all,
)
from .main import INTERRUPTED, main
from .options import (
    backend_option,
    check_rows,
    check_spec,
    config_option,
    dataset_of,
    device_named,
    file_argument,
    named,
    overwrite_option,
    rows_of,
    together,
)
from .outcome import inform, why_kept, write_outcome
from .preparing import by_size, chosen_settings, inputs_of, prepared, with_unlabelled
from .streams import InputFile

__all__ = ["train"]

STATE = ".state"
"""The folder, in that of the model, where the state of an unfinished run is."""

FEW_A_CLASS = 10
"""Labelled rows a class, of which an encoder that they train was seen to tell as much as a frozen
one, or more."""

RUNNING = ".running"
"""The file, in that of the model, that keeps a second run out of it."""


@main.command()
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option(
    "--init",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Go on from this trained model: its encoder, start and parameters.",
)
@click.option("--epochs", type=int, help="Passes over the data  [default: by its size]")
@click.option("--batch-size", type=int, help="Rows, or triplets, per step  [default: 128]")
@click.option("--learning-rate", type=float, help="Peak step size  [default: 0.001]")
@click.option("--margin", type=float, help="Triplet margin  [default: 0.2]")
@click.option(
    "--loss",
    type=click.Choice(get_args(LossName)),
    help="What is minimised  [default: by the data]",
)
@click.option(
    "--patience", type=int, metavar="EPOCHS", help="Stop early after so many without gain."
)
@click.option("--k", type=int, help="Neighbours per node of the graph  [default: 10]")
@click.option("--seed", type=int, help="Source of every random choice  [default: 0]")
@config_option
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
    "fine-tuned:MODEL, model2vec:MODEL, mlx:MODEL; MODEL is a folder or a name on the Hugging Face "
    "hub, and fine-tuned trains it on the labels first. Several with + between them are taken "
    "together. pieces trains an embedding layer instead  "
    "[default: tfidf]",
)
@click.option(
    "--unlabelled",
    type=click.Path(path_type=Path),
    help="Rows whose labels are not known, or not read: trained on where that helps on held-out "
    "rows. So are the rows of FILE with a blank label.",
)
@click.option("--no-cache", is_flag=True, help="Keep no vectors of texts for the next run.")
@click.option(
    "--train-split",
    type=float,
    help="Share not held out  [default: 0.8, of triplets 0.9; or all but 10,000, if more]",
)
@click.option("--no-map", is_flag=True, help="Draw no picture of the embedding space.")
@click.option("--resume", is_flag=True, help="Go on with a run that did not finish.")
@click.option(
    "--save-every", type=click.IntRange(1), metavar="STEPS", help="Keep its state more often."
)
@click.option(
    "--log",
    "trackers",
    type=click.Choice(TRACKERS),
    multiple=True,
    help="Tell this tracker of settings, steps, epochs and figures; may be given several times.",
)
@click.option("--quiet", is_flag=True, help="Show the table, warnings and errors alone.")
@backend_option
@overwrite_option
def train(
    file: InputFile,
    output: Path,
    init: Path | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    margin: float | None,
    loss: str | None,
    patience: int | None,
    k: int | None,
    seed: int | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    template: str | None,
    encoder_spec: str | None,
    unlabelled: Path | None,
    no_cache: bool,
    train_split: float | None,
    no_map: bool,
    resume: bool,
    save_every: int | None,
    trackers: tuple[str, ...],
    quiet: bool,
    backend: str,
    overwrite: bool,
) -> None:
    """Train a model on FILE and save it in a folder.

    Labelled data with a split column: trains on the rows "train" and is measured on the rows
    "test"; the rows "validation" choose the epoch, where there are some. Otherwise a part is held
    out to choose and to measure. An interrupt (Ctrl-C) leaves the model of the last finished epoch;
    the same command with --resume goes on from there, and begins where there is nothing yet. A run
    that is killed has its model and state of some seconds before. An option overrides --set, both
    override --config, and all of them --template.

    With --init the settings that no option names are MODEL's, and those that shape it must be. Its
    classes become those of FILE. Held-out rows that it was trained on do not measure it.

    \b
    Examples:
      dtgcnn train triplets.json --output model
      dtgcnn train tickets.csv --output model --epochs 50 --set dropout_rate=0.3
      dtgcnn train tickets.csv --output model --encoder sentence-transformer:all-MiniLM-L6-v2
      dtgcnn train vectors.npz --output model --set "hidden_dims=[512, 256]"
      dtgcnn train more_tickets.csv --init model --output model2 --epochs 10
    """
    if quiet:
        logging.getLogger("dtgcnn").setLevel(logging.WARNING)
    state_dir = output / STATE
    if init is not None and output.resolve() == init.resolve():
        raise ValueError(f"--output must be another folder than --init, received {output} twice")
    if init is not None and encoder_spec is not None:
        raise ValueError(
            f"--encoder does not go with --init: {init} keeps its own, received {encoder_spec!r}"
        )
    loggers = loggers_of(trackers, output.resolve().name)
    options: dict[str, Any] = {
        "num_epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "triplet_margin": margin,
        "loss": loss,
        "early_stopping_patience": patience,
        "device": device_named(),
        "graph_k_neighbors": k,
        "seed": seed,
    }
    named_options = {name: value for name, value in options.items() if value is not None}
    chosen = chosen_settings(config_file, settings, named_options, encoder_spec)
    config = DTGCNNConfig.from_dict(chosen)
    ops = load_ops(backend, **device_option(config))
    world = together(ops, config.process_timeout)
    quiet |= not world.is_first
    unfinished = world.from_first("--output", lambda: _check_output(output, resume, overwrite))
    initial = None if init is None else _initial(init, ops, not no_cache, quiet)
    dataset = dataset_of(file)
    if unlabelled is not None:
        dataset = dataset.with_unlabelled(rows_of(unlabelled, "text"))
    rows = len(dataset.training_rows())
    check_spec(file, dataset.features, encoder_spec)
    cautious = {} if template is None else TEMPLATES.get(template, template_of(rows))
    if train_split is not None and train_split < 1 and len(dataset.validation_items()):
        raise ValueError(
            f"--train-split does not go with {file}: its splits name the rows to validate on, "
            f"received {train_split:g}"
        )
    train_split = usual_split(dataset) if train_split is None else train_split
    if initial is None:
        model, loader, val_loader = prepared(
            dataset,
            chosen,
            encoder_spec,
            ops,
            cautious,
            train_split,
            cache=not no_cache,
            quiet=quiet,
            held_out_classes=_share_of_classes(dataset, train_split),
        )
    else:
        assert init is not None
        config = continued(initial.config, cautious, chosen)
        check_rows(init, initial, dataset)
        loader, val_loader, known = sides(initial, dataset, config, train_split)
        if known and not len(val_loader.items) and "num_epochs" not in cautious | chosen:
            raise ValueError(
                f"--init {init} was trained on all rows of {file} that could be held out, so "
                "nothing tells how long to go on: name --epochs, or give rows new to it"
            )
        for line in filter(None, (_said(known, val_loader), changed_classes(initial, dataset))):
            click.echo(f"{file}: {line}", err=True)
        encoder = initial.encoder
        loader = with_unlabelled(dataset, loader, val_loader, encoder, config, initial, quiet)
        suits = by_size(config, chosen, cautious, rows, loader)
        epochs = chosen.get("num_epochs", suits["num_epochs"])
        model, initial.config = initial, config.replace(num_epochs=epochs)
    if unfinished and not resume and world.is_first:
        remove_states(state_dir)
    saving = SaveEveryEpoch(output, overwrite=overwrite, paced=True)
    click.get_current_context().with_resource(held_open(loggers))
    trainer = Trainer(
        model,
        train_loader=loader,
        val_loader=val_loader,
        callbacks=[saving, *loggers],
        progress=not quiet,
        state_dir=state_dir,
        save_every_n_steps=save_every,
    )
    summary = _summary(dataset, loader, model, encoder_spec)
    unseen = _unseen(trainer)
    if unseen:
        summary += f"; {unseen} of its classes are held out until all rows are trained on"
    inform(trainer, f"{file}: {summary}", err=True)
    begin = time.perf_counter()
    try:
        _fit_and_train(trainer, resume)
        measured = trainer
        if trainer.best_epoch is not None:
            final, fresh = trainer, None
            if not len(dataset.validation_items()):  # rows that the data set apart stay apart
                if initial is None:
                    given = cautious | chosen
                    _, fresh = inputs_of(dataset, given, encoder_spec, not no_cache, quiet)
                final = _finish(trainer, dataset, fresh)
            if world.is_first:
                final.model.save(output, overwrite=True)
                unseen = 0
            if len(dataset.split_items("test")):
                measured = final
        if world.is_first:
            write_outcome(trainer, measured, output, loggers, draw=not no_map)
            took = time.perf_counter() - begin
            inform(trainer, f"trained and measured in {took:.0f} s", err=True)
            better = _other_encoders(dataset, encoder_spec)
            if better and initial is None and dataset.features is None:
                inform(trainer, better, err=True)
    except KeyboardInterrupt as error:
        world.fail(error, INTERRUPTED)
        done = saving.last_epoch if trainer.best_epoch is None else trainer.best_epoch
        saved = saving.last_epoch > 0 or trainer.best_epoch is not None
        kept = f"{output} holds the model of epoch {done}" if saved else "nothing was saved"
        if saved and unseen:
            kept += f", which has not seen {unseen} of the classes"
        more = "; --resume goes on" if holds_state(state_dir) else ""
        click.echo(f"\ninterrupted: {kept}{more}", err=True)
        sys.exit(INTERRUPTED)
    if world.is_first:
        remove_states(state_dir)
    inform(trainer, f"model saved in {output}")


def _other_encoders(dataset: TripletDataset, spec: str | None) -> str:
    """What to say of encoders that may tell more than the one that the user named, or than none."""
    labelled, frozen = dataset.triplets is None, f"{SentenceTransformerEncoder.name}:"
    if spec is None:
        both = "+tfidf" if labelled else ""
        return (
            "tfidf compares words, not meanings; a sentence encoder mostly tells more, above all "
            f"of few rows: --encoder {frozen}all-MiniLM-L6-v2{both}"
        )
    if dataset.labels is None or not spec.startswith(frozen):
        return ""
    classes = dataset.labels[dataset.training_items()].tolist()
    if not labelled or len(classes) > FEW_A_CLASS * len(set(classes)):
        return ""
    return (
        "of few rows a class an encoder that the labels train often tells more, and takes ten "
        f"times as long: --encoder {FineTunedEncoder.name}:{spec.removeprefix(frozen)}"
    )


def _share_of_classes(dataset: TripletDataset, train_split: float) -> float:
    """What of the classes the run that chooses the epoch does not see: some, if all rows are
    trained on in the end, and if the table is not to be made of that run. What is kept of it is how
    long to train."""
    if len(dataset.validation_items()) or not len(dataset.split_items("test")):
        return 0.0
    return usual_classes(dataset, train_split)


def _unseen(trainer: Trainer) -> int:
    """How many classes of the held-out rows are not trained on; triplets have none."""
    if trainer.train_loader is None or trainer.train_loader.triplets is not None:
        return 0
    loaders = (trainer.val_loader, trainer.train_loader)
    held, trained = (set() if side is None else set(side.labels.tolist()) for side in loaders)
    return len(held - trained)


def _check_output(output: Path, resume: bool, overwrite: bool) -> bool:
    """Refuse a folder that the model cannot go to, and keep other runs out of it until the command
    ends; whether it holds an unfinished run."""
    named("--output", check_folder, output, True)
    # Until the last file is written: another run would delete this one's state, or its model.
    click.get_current_context().with_resource(hold(output, RUNNING))
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
    return unfinished


def _initial(folder: Path, ops: ArrayOps, cache: bool, quiet: bool) -> DTGCNN:
    """The model to go on from; errors tell that it is the one of ``--init``."""
    try:
        model = load_trained(folder, ops)
    except (CheckpointError, ValueError) as error:
        raise ValueError(f"--init {error}") from error
    for name, kept in (("cache", cache), ("progress", not quiet)):
        if hasattr(model.encoder, name):
            setattr(model.encoder, name, kept)
    return model


def _said(known: int, val_loader: TripletLoader) -> str:
    """What to say of held-out rows that the model of ``--init`` was trained on."""
    if not known:
        return ""
    if not len(val_loader.items):
        return "no row that could be held out is new to the model: the last epoch is kept"
    return (
        f"{known:,} held-out rows are not new to the model and do not measure it, "
        f"{len(val_loader.items):,} do"
    )


def _summary(
    dataset: TripletDataset, loader: TripletLoader, model: DTGCNN, spec: str | None
) -> str:
    """What is about to be trained, in one line."""
    encoder, ops = model.encoder, model.ops
    return (
        f"{len(dataset):,} {'triplets' if dataset.triplets is not None else 'rows'}; "
        f"{len(loader)} steps an epoch, {model.config.num_epochs} epochs, "
        f"{'' if encoder is None else f'encoder {spec or spec_of(encoder)}, '}"
        f"backend {ops.name} ({ops.device})"
    )


def _fit_and_train(trainer: Trainer, resume: bool) -> None:
    begin, loader = time.perf_counter(), trainer.train_loader
    assert loader is not None
    encoder = trainer.model.encoder
    # One that labels were spread with has learnt of all texts by now.
    if encoder is not None and trainer.model.origin is None and not len(loader.pseudo):
        fit_encoder(encoder, loader, unlabelled=False)
    trainer.train(resume=resume)
    inform(trainer, f"trained in {time.perf_counter() - begin:.0f} s{why_kept(trainer)}", err=True)


def _finish(trainer: Trainer, dataset: TripletDataset, encoder: Encoder | None) -> Trainer:
    """Train anew on the held-out rows too; see ``train_on_all``. The model of ``trainer`` is kept
    where it is the one that is measured."""
    keep = not len(dataset.split_items("test"))
    begin = time.perf_counter()
    epochs = max(trainer.best_epoch or 0, 1)  # the start alone takes its time too
    with progress_bar("training anew on all rows", epochs, trainer.progress) as told:
        final = train_on_all(trainer, dataset, encoder, told, keep=keep)
    assert final.train_loader is not None
    rows, seconds = len(final.train_loader.items), time.perf_counter() - begin
    inform(trainer, f"and anew on all {rows:,} rows in {seconds:.0f} s", err=True)
    return final
