"""``dtgcnn train``."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from ..array import ArrayOps, load_ops, numerics
from ..callbacks import TRACKERS, MetricLogger, SaveEveryEpoch, held_open, loggers_of
from ..config import (
    TEMPLATES,
    DTGCNNConfig,
    LossName,
    continued,
    read_settings,
    suggest,
    template_of,
    unused_with,
)
from ..data import (
    Encoder,
    Items,
    PieceEncoder,
    TripletDataset,
    TripletLoader,
    default_encoder,
    fit_encoder,
    make_encoder,
    progress_bar,
    usual_classes,
    usual_split,
    with_pseudo_labels,
)
from ..errors import CheckpointError
from ..evaluation import Comparison, compare
from ..model import DTGCNN, device_option
from ..storage import add_figures, check_folder, holds_model, write_json
from ..training import (
    TEXT_INPUT_DIM,
    Trainer,
    changed_classes,
    chosen_by,
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
    config_option,
    dataset_of,
    device_named,
    file_argument,
    named,
    overwrite_option,
    parse_settings,
    rows_of,
    together,
)
from .streams import InputFile

__all__ = ["train"]

STATE = ".state"
"""The folder, in that of the model, where the state of an unfinished run is."""

RUNNING = ".running"
"""The file, in that of the model, that keeps a second run out of it."""

UNSEEN = "val_unseen_map@r"

PIECES = {"vocab_size": 8000, "max_length": 64, "input_dim": 256}
"""The embedding layer that ``--encoder pieces`` makes, where the user names no other."""


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
    "model2vec:MODEL, mlx:MODEL; MODEL is a folder or a name on the Hugging Face hub. pieces "
    "trains an embedding layer instead  [default: tfidf]",
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
    out to choose and to measure. The model is saved after every epoch, so an
    interrupt (Ctrl-C) loses no finished one; the same command with --resume goes on from there, and
    begins where there is nothing yet. An option overrides --set, both override --config, and all of
    them --template.

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
    rows = _count(dataset)
    if dataset.features is not None and encoder_spec is not None:
        raise ValueError(f"--encoder goes with texts, {file} holds vectors")
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
        loader = _with_unlabelled(dataset, loader, val_loader, encoder, config, True, quiet)
        suits = _by_size(config, chosen, cautious, rows, loader)
        epochs = chosen.get("num_epochs", suits["num_epochs"])
        model, initial.config = initial, config.replace(num_epochs=epochs)
    if unfinished and not resume and world.is_first:
        remove_states(state_dir)
    saving = SaveEveryEpoch(output, overwrite=overwrite)
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
    _inform(trainer, f"{file}: {summary}", err=True)
    begin = time.perf_counter()
    try:
        _fit_and_train(trainer, resume)
        measured = trainer
        if trainer.best_epoch is not None:
            final, fresh = trainer, None
            if not len(dataset.validation_items()):  # rows that the data set apart stay apart
                if initial is None:
                    given = cautious | chosen
                    _, fresh = _inputs(dataset, given, encoder_spec, not no_cache, quiet)
                final = _finish(trainer, dataset, fresh)
            if world.is_first:
                final.model.save(output, overwrite=True)
                unseen = 0
            if len(dataset.split_items("test")):
                measured = final
        if world.is_first:
            _report(trainer, measured, output, loggers, draw=not no_map)
            took = time.perf_counter() - begin
            _inform(trainer, f"trained and measured in {took:.0f} s", err=True)
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
    _inform(trainer, f"model saved in {output}")


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


def _count(dataset: TripletDataset) -> int:
    """Rows that may be trained on, or triplets."""
    return len(dataset.training_items() if dataset.triplets is None else dataset)


def _share_of_classes(dataset: TripletDataset, train_split: float) -> float:
    """What of the classes the run that chooses the epoch does not see: some, if all rows are
    trained on in the end, and if neither the table is to be made of that run, nor labels spread in
    it. What is kept of it is how long to train."""
    chooses = train_split < 1 and not len(dataset.validation_items())
    in_the_end = chooses and len(dataset.split_items("test")) > 0
    if not in_the_end or dataset.labels is None or len(dataset.unlabelled_items()):
        return 0.0
    return usual_classes(dataset)


def _unseen(trainer: Trainer) -> int:
    """How many classes of the held-out rows are not trained on; triplets have none."""
    if trainer.train_loader is None or trainer.train_loader.triplets is not None:
        return 0
    loaders = (trainer.val_loader, trainer.train_loader)
    held, trained = (set() if side is None else set(side.labels.tolist()) for side in loaders)
    return len(held - trained)


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
    config, encoder = _inputs(dataset, cautious | chosen, encoder_spec, cache, quiet)
    loader, val_loader = dataset.create_dataloaders(
        config.batch_size,
        train_split,
        config.seed,
        config.samples_per_class,
        held_out_classes=held_out_classes,
    )
    loader = _with_unlabelled(dataset, loader, val_loader, encoder, config, False, quiet)
    suits = _by_size(config, chosen, cautious, _count(dataset), loader)
    model = DTGCNN(config.replace(**suits | chosen), ops=ops, encoder=encoder)
    return model, loader, val_loader


def _inform(trainer: Trainer, line: str, err: bool = False) -> None:
    """Say what is neither a result nor a warning, unless ``--quiet``."""
    if trainer.progress:
        click.echo(line, err=err)


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


def _inputs(
    dataset: TripletDataset, settings: dict[str, Any], spec: str | None, cache: bool, quiet: bool
) -> tuple[DTGCNNConfig, Encoder | None]:
    """The config, as wide as the vectors that go in, and what makes these of texts."""
    config = DTGCNNConfig.from_dict(settings)
    encoder, open_width = None, "input_dim" not in settings and config.vocab_size is None
    if open_width:
        width = TEXT_INPUT_DIM if dataset.features is None else dataset.features.shape[1]
        config = config.replace(input_dim=width)
    if dataset.features is None:
        encoder = _encoder_of(spec, config, cache)
        if quiet and hasattr(encoder, "progress"):
            encoder.progress = False
        if open_width:
            config = config.replace(input_dim=encoder.dim)
    return config, encoder


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


def _by_size(
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
    nearest = max(1, min(config.graph_k_neighbors, len(loader.items) - 1))
    return suits | {"graph_k_neighbors": nearest}


def _with_unlabelled(
    dataset: TripletDataset,
    loader: TripletLoader,
    val_loader: TripletLoader,
    encoder: Encoder | None,
    config: DTGCNNConfig,
    fitted: bool,
    quiet: bool,
) -> TripletLoader:
    """A loader of the unlabelled rows too, where there are some and held-out rows say that it
    helps; unless ``quiet`` it is said."""
    count = len(dataset.unlabelled_items())
    if not count:
        return loader
    if config.vocab_size is not None:
        if not quiet:
            said = "unlabelled rows are not used with an embedding layer"
            click.echo(f"{dataset.source}: {count:,} {said}", err=True)
        return loader
    if dataset.features is None:
        assert encoder is not None
        assert dataset.texts is not None
        if not fitted:
            fit_encoder(encoder, loader, unlabelled=True)
        vectors = encoder.encode(dataset.texts)
    else:
        vectors = dataset.features
    loader, found = with_pseudo_labels(
        loader, vectors, val_loader, most=config.bank_size, seed=config.seed
    )
    if not quiet:
        click.echo(f"{dataset.source}: {found}", err=True)
    return loader


def _summary(
    dataset: TripletDataset, loader: TripletLoader, model: DTGCNN, spec: str | None
) -> str:
    """What is about to be trained, in one line."""
    encoder, ops = model.encoder, model.ops
    return (
        f"{len(dataset):,} {'triplets' if dataset.triplets is not None else 'rows'}; "
        f"{len(loader)} steps an epoch, {model.config.num_epochs} epochs, "
        f"{'' if encoder is None else f'encoder {spec or encoder.name}, '}"
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
    _inform(trainer, f"trained in {time.perf_counter() - begin:.0f} s{_kept(trainer)}", err=True)


def _kept(trainer: Trainer) -> str:
    """Which epoch's weights were kept, and why, as the end of a line."""
    epoch, start = trainer.best_epoch, trainer.start_metrics
    if epoch is None:
        return ""
    metrics = start if epoch == 0 else trainer.history[epoch - 1]
    name = chosen_by(metrics)
    figures = f"{name} {metrics[name]:.4f}"
    if epoch == 0:
        best = max((entry.get(name, 0.0) for entry in trainer.history), default=0.0)
        more = name != "val_loss" and best > metrics[name]
        added = f"no more than chance may (at best {best:.4f})" if more else "nothing"
        kept = "the start" if trainer.model.origin is None else "the model as it was"
        return f"; on the held-out rows the steps added {added}, {kept} is kept: {figures}"
    if name in start:
        figures += f", before the first step {start[name]:.4f}"
    if UNSEEN in metrics and UNSEEN in start:
        figures += f"; {UNSEEN} {metrics[UNSEEN]:.4f}, before {start[UNSEEN]:.4f}"
    return f"; epoch {epoch} of {trainer.config.num_epochs} is kept: {figures}"


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
    _inform(trainer, f"and anew on all {rows:,} rows in {seconds:.0f} s", err=True)
    return final


def _report(
    trainer: Trainer,
    measured: Trainer,
    output: Path,
    loggers: Sequence[MetricLogger],
    draw: bool,
) -> None:
    """Measure the model of one trainer; write its figures, the history of the other one, which
    chose the epoch, and with ``draw`` the picture; and tell the trackers."""
    loader = measured.train_loader
    assert loader is not None
    shown, model = trainer.progress, measured.model
    numerics.clear_cache(model.ops)  # of what training has freed
    result = compare(model, loader.dataset, loader, measured.val_loader, progress=shown)
    figures = {} if result is None else result.to_dict()
    run = {"history": trainer.history, "start": trainer.start_metrics, "data": _data(trainer)}
    write_json(output / "metrics.json", {**figures, "best_epoch": trainer.best_epoch, **run})
    if result is None:
        click.echo("nothing was held out that could be measured", err=True)
        return
    tables = "\n\n".join(filter(None, (result.protocol, result.table(), result.rivals_table())))
    add_figures(output, tables)
    click.echo(f"\n{tables}\n")
    _log(loggers, trainer, result, loader.dataset)
    if draw:
        _draw_map(trainer, result, output / "map.png")


def _log(
    loggers: Sequence[MetricLogger], trainer: Trainer, result: Comparison, dataset: Items
) -> None:
    """Tell trackers what was measured, and of which epoch."""
    views = {"input": result.input, "trained": result.trained}
    figures = {
        f"{view}/{name}": value for view, own in views.items() for name, value in own.items()
    }
    if trainer.best_epoch is not None:
        figures["best_epoch"] = float(trainer.best_epoch)
    columns = {} if dataset.label_names is None else {"label": dataset.names_of(result.items)}
    texts = dataset.texts
    columns["text"] = [dataset.place(i) if texts is None else texts[i] for i in result.items]
    for logger in loggers:
        logger.log_figures(figures)
        logger.log_vectors(result.embeddings, columns)


def _data(trainer: Trainer) -> dict[str, str | int]:
    """What was trained on, as a report tells it."""
    sides = trainer.train_loader, trainer.val_loader
    assert sides[0] is not None
    counts = [0 if side is None else len(side.items) for side in sides]
    names = ("rows", "rows held out to choose the epoch")
    return {"file": sides[0].dataset.source, **dict(zip(names, counts))}


def _encoder_of(spec: str | None, config: DTGCNNConfig, cache: bool) -> Encoder:
    """The encoder that the user names, or the one that suits the settings."""
    if spec is None or spec == PieceEncoder.name:
        return default_encoder(config)
    if config.vocab_size is not None:
        raise ValueError(f"--encoder must be pieces where vocab_size is set, received {spec!r}")
    return make_encoder(spec, config.input_dim, cache=cache)


def _draw_map(trainer: Trainer, result: Comparison, path: Path) -> None:
    from ..plots import plot_embedding_map

    panels = {"Input vectors": result.input_vectors, "Trained embedding": result.embeddings}
    try:
        with progress_bar("drawing the map", 1, trainer.progress):
            plot_embedding_map(panels, result.labels, path, label_names=result.label_names)
    except ImportError as error:
        click.echo(f"no map: {error}", err=True)
    else:
        _inform(trainer, f"map of the embedding space: {path}")
