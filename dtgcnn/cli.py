"""The ``dtgcnn`` command line."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from .backends import BackendError, available_backends, load_backend, load_ops
from .callbacks import SaveEveryEpoch
from .checkpoint import check_folder, replace_file
from .config import DTGCNNConfig, suggest
from .config_file import describe_settings, read_settings
from .data import TripletDataset, sample_path
from .evaluate import unit_rows
from .model import DTGCNN
from .report import Comparison, compare
from .trainer import Trainer, TrainingError

T = TypeVar("T")

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

TEXT_INPUT_DIM = 384
"""Width of text vectors where the user names none."""


class _Refusal(click.ClickException):
    """Input or arguments that cannot be worked with."""

    exit_code = 2


class _Commands(click.Group):
    """Shows an expected error as one message and exits with code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (ValueError, OSError, ImportError, TrainingError) as error:
            raise _Refusal(_one_message(error)) from error
        except MemoryError as error:
            raise _Refusal(f"not enough memory: {error}") from error
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            sys.exit(INTERRUPTED)


def _one_message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dtgcnn")
def main() -> None:
    """Train text embeddings with a Dynamic Triplet Graph Convolutional Neural Network.

    \b
    Try it:
      dtgcnn sample support.csv
      dtgcnn train support.csv --output model
      dtgcnn search model support.csv "where is my parcel?"

    A FILE of training data holds triplets (JSON or CSV: anchor, positive, negative), labelled texts
    (CSV, TSV, JSON or JSONL: text, label and maybe split), or vectors (.npz, .safetensors: x, y).
    Any of them may be gzipped.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("dtgcnn").setLevel(logging.INFO)


_file = click.argument("file", type=click.Path(path_type=Path))
_model = click.argument("model", metavar="DIR", type=click.Path(path_type=Path))
_backend = click.option(
    "--backend", default="auto", show_default=True, help="numpy, mlx, or what else is installed."
)
_overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@main.command()
@_file
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
@click.option("--train-split", default=0.9, show_default=True, help="Share not held out.")
@click.option("--no-map", is_flag=True, help="Draw no picture of the embedding space.")
@_backend
@_overwrite
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
    train_split: float,
    no_map: bool,
    backend: str,
    overwrite: bool,
) -> None:
    """Train a model on FILE and save it in a folder.

    Labelled data with a split column: trains on the rows "train" and is measured on the rows
    "test". Otherwise a part is held out to measure. The model is saved after every epoch, so an
    interrupt (Ctrl-C) loses no finished one. An option overrides --set, and both override --config.

    \b
    Examples:
      dtgcnn train triplets.json --output model
      dtgcnn train tickets.csv --output model --epochs 50 --set dropout_rate=0.3
      dtgcnn train vectors.npz --output model --set "hidden_dims=[512, 256]"
    """
    _named("--output", check_folder, output, overwrite)
    named: dict[str, Any] = {
        "num_epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "triplet_margin": margin,
        "graph_k_neighbors": k,
        "seed": seed,
    }
    chosen = {} if config_file is None else read_settings(config_file)
    chosen |= _settings(settings) | {name: v for name, v in named.items() if v is not None}
    config = DTGCNNConfig.from_dict(chosen)
    ops = load_ops(backend)
    dataset = TripletDataset(file)
    if "input_dim" not in chosen:
        width = TEXT_INPUT_DIM if dataset.features is None else dataset.features.shape[1]
        config = config.replace(input_dim=width)
    loader, val_loader = dataset.create_dataloaders(
        config.batch_size, train_split, config.seed, config.samples_per_class
    )
    rows = len(dataset.training_items() if dataset.triplets is None else dataset)
    few = {"graph_k_neighbors": max(1, min(config.graph_k_neighbors, len(loader.items) - 1))}
    config = config.replace(**(suggest(rows, len(loader)) | few | chosen))
    model = DTGCNN(config, ops=ops)
    saving = SaveEveryEpoch(output, overwrite=overwrite)
    trainer = Trainer(model, train_loader=loader, val_loader=val_loader, callbacks=[saving])
    click.echo(
        f"{file}: {len(dataset):,} {'triplets' if dataset.triplets is not None else 'rows'}; "
        f"{len(loader)} steps an epoch, {config.num_epochs} epochs, "
        f"backend {ops.name} ({ops.device})",
        err=True,
    )
    begin = time.perf_counter()
    try:
        trainer.train()
        click.echo(f"trained in {time.perf_counter() - begin:.0f} s", err=True)
        result = compare(model, dataset, loader, val_loader)
        figures = {} if result is None else result.to_dict()
        _write_json(output / "metrics.json", {**figures, "history": trainer.history})
        if result is None:
            click.echo("nothing was held out that could be measured", err=True)
        else:
            click.echo(f"\n{result.protocol}\n\n{result.table()}\n")
            if not no_map:
                _draw_map(result, output / "map.png")
    except KeyboardInterrupt:
        done = saving.last_epoch
        kept = f"{output} holds the model of epoch {done}" if done else "nothing was saved"
        click.echo(f"\ninterrupted: {kept}", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"model saved in {output}")


@main.command()
@_model
@_file
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write figures here.")
@_backend
def evaluate(model: Path, file: Path, json_file: Path | None, backend: str) -> None:
    """Measure the model in DIR on FILE, against the vectors that go into it.

    Labelled data with a split column: the rows "test" are looked up among the rows "train".
    Without one, every row is looked up among all others. Triplets: the share whose positive is
    nearer than their negative.
    """
    if json_file is not None:
        _check_file("--json", json_file, overwrite=True)
    result = compare(DTGCNN.load(model, backend=backend), TripletDataset(file))
    if result is None:
        raise ValueError(
            f"{file}: nothing to measure: no triplets, and no two rows of one class to look up"
        )
    click.echo(f"{result.protocol}\n\n{result.table()}")
    if json_file is not None:
        _write_json(json_file, {"model": str(model), "file": str(file), **result.to_dict()})


@main.command()
@_model
@_file
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A .npy file.")
@_backend
@_overwrite
def encode(model: Path, file: Path, output: Path, backend: str, overwrite: bool) -> None:
    """Write the embeddings of FILE's rows as a float32 array, one row each, in order.

    FILE may be labelled or plain: a .txt file of one text a line, a column "text", or vectors.
    """
    if output.suffix != ".npy":
        raise ValueError(f"--output must end in .npy, received {output}")
    _check_file("--output", output, overwrite)
    dataset = _rows_of(file)
    loaded = DTGCNN.load(model, backend=backend)
    embeddings = loaded.encode(dataset.inputs)
    buffer = io.BytesIO()
    np.save(buffer, embeddings)
    replace_file(output, buffer.getvalue())
    click.echo(f"{output}: {embeddings.shape[0]} rows of {embeddings.shape[1]}")


@main.command()
@_model
@_file
@click.argument("query")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@_backend
def search(model: Path, file: Path, query: str, top: int, backend: str) -> None:
    """Print the texts of FILE that are nearest to QUERY, with their cosine similarity."""
    dataset = _rows_of(file)
    if dataset.texts is None:
        raise ValueError(f"{file}: holds vectors; search needs texts to print")
    if not query.strip():
        raise ValueError("QUERY must not be empty")
    loaded = DTGCNN.load(model, backend=backend)
    embeddings = unit_rows(loaded.encode([*dataset.texts, query]))
    similarity = embeddings[:-1] @ embeddings[-1]
    names = dataset.label_names
    for row in np.argsort(-similarity, kind="stable")[:top]:
        label = "" if names is None or dataset.labels is None else f"{names[dataset.labels[row]]}  "
        click.echo(f"{similarity[row]:.3f}  {label}{dataset.texts[row]}")


@main.command()
def backends() -> None:
    """List the compute backends: installed or not, their devices, and which one auto picks."""
    picked = load_ops("auto").name
    for name in available_backends():
        try:
            state = ", ".join(load_backend(name).available_devices())
        except BackendError as error:
            state = f"not usable: {error}"
        click.echo(f"{name:<10} {state}{'  (auto)' if name == picked else ''}")


@main.command()
@click.argument("path", default="sample.csv", type=click.Path(path_type=Path))
@_overwrite
def sample(path: Path, overwrite: bool) -> None:
    """Write the bundled sample to PATH: support-desk messages with their intents."""
    _check_file("PATH", path, overwrite)
    shutil.copyfile(sample_path(), path)
    click.echo(f"{path}: try  dtgcnn train {path} --output model")


@main.command()
def settings() -> None:
    """Print every setting with its meaning and default, as a config file of comments.

    \b
    Example:
      dtgcnn settings > config.toml
      dtgcnn train FILE --output DIR --config config.toml
    """
    click.echo(describe_settings(), nl=False)


def _named(option: str, check: Callable[..., None], *arguments: Any) -> None:
    """Run a check, its message beginning with the option that it is about."""
    try:
        check(*arguments)
    except OSError as error:
        raise ValueError(f"{option} {error}".replace("; overwrite ", "; --overwrite ")) from error


def _check_file(option: str, path: Path, overwrite: bool) -> None:
    """Refuse a file that cannot or must not be written, before any work is done."""
    if path.is_dir():
        raise ValueError(f"{option} {path} must be a file, it is a folder")
    if path.exists() and not overwrite:
        raise ValueError(f"{option} {path} exists; --overwrite replaces it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{option} {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{option} {path}: the folder {folder} cannot be written to")


def _settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs; a value is JSON, or else a string."""
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set must be NAME=VALUE, received {pair!r}")
        try:
            chosen[name.strip()] = json.loads(text)
        except ValueError:
            chosen[name.strip()] = text
    return chosen


def _rows_of(file: Path) -> TripletDataset:
    dataset = TripletDataset(file)
    if dataset.triplets is not None:
        raise ValueError(f"{file}: holds triplets; give a file of single texts or vectors")
    return dataset


def _write_json(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode())


def _draw_map(result: Comparison, path: Path) -> None:
    from .plots import plot_embedding_map

    panels = {"Input vectors": result.input_vectors, "Trained embedding": result.embeddings}
    try:
        plot_embedding_map(panels, result.labels, path, label_names=result.label_names)
    except ImportError as error:
        click.echo(f"no map: {error}", err=True)
    else:
        click.echo(f"map of the embedding space: {path}")
