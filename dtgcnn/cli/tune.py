"""``dtgcnn tune``: settings that do best on held-out rows."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..array import load_ops
from ..config import DTGCNNConfig, write_settings
from ..data import TripletDataset, usual_split, write_table
from ..evaluation import table_lines
from ..model import device_option
from ..plots import plot_tuning
from ..training import LEAST_GAIN, SPACE, STUDY, Made, Range, Trial, Tuned, content_of, tune
from .main import main
from .options import (
    backend_option,
    check_spec,
    config_option,
    dataset_of,
    device_named,
    file_argument,
    seed_option,
)
from .preparing import chosen_settings, count_distinct, prepared
from .streams import InputFile

__all__ = ["tune_command"]

USE = "for train --config"
SHOWN = 10
"""Trials in the table, the best."""


@main.command("tune")
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A folder.")
@click.option(
    "--trials", default=30, show_default=True, type=click.IntRange(1), help="How many in all."
)
@click.option("--epochs", type=int, help="Passes over the data  [default: by its size]")
@seed_option("Of the search.")
@config_option
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Hold a setting at a value."
)
@click.option("--encoder", "encoder_spec", metavar="SPEC", help="As for train  [default: tfidf]")
@click.option("--train-split", type=float, help="Share not held out  [default: as for train]")
@backend_option
def tune_command(
    file: InputFile,
    output: Path,
    trials: int,
    epochs: int | None,
    seed: int,
    config_file: Path | None,
    settings: tuple[str, ...],
    encoder_spec: str | None,
    train_split: float | None,
    backend: str,
) -> None:
    """Search for settings that do best on held-out rows of FILE.

    Rows "test" take no part. Every trial trains a model on the rows that are not held out; the
    first one has the settings as they are. The held-out rows choose its epoch and give its value,
    so values are somewhat high, those of all trials alike: what train prints of rows "test" is what
    to expect. Trials are kept in the folder: the same command goes on
    with a search that did not finish, or adds trials with a larger --trials. What is left there:
    best.toml, for train --config; trials.csv, all trials; tuning.png, what mattered.

    \b
    Searched, where --set and --config name no value:
      learning_rate 0.0001 to 0.01     weight_decay 0.000001 to 0.01
      dropout_rate 0 to 0.5            loss triplet, supcon, multi_similarity
      graph_k_neighbors 3 to 30        graph_self_weight 0.5 to 0.95
      code_weight 0.5 to 3             start_weight 0.03 to 3

    \b
    Example:
      dtgcnn tune tickets.csv --output search --trials 40
      dtgcnn train tickets.csv --output model --config search/best.toml
    """
    epochs_named = {} if epochs is None else {"num_epochs": epochs}
    chosen = chosen_settings(config_file, settings, epochs_named, encoder_spec)
    config = DTGCNNConfig.from_dict(chosen)
    for place in (output, *output.parents):
        if place.exists() and not place.is_dir():
            raise ValueError(f"--output {output}: {place} must be a folder, it is a file")
    if output.is_dir() and any(output.iterdir()) and not (output / STUDY).exists():
        raise ValueError(f"--output {output} must be empty or hold a search, it holds other files")
    if (output / STUDY).exists():
        click.echo(f"{output}: goes on with the search there, and replaces its results", err=True)
    dataset = dataset_of(file)
    check_spec(file, dataset.features, encoder_spec)
    rows = len(dataset.training_items())
    split = usual_split(dataset) if train_split is None else train_split
    if not 0 < split <= 1:
        raise ValueError(f"--train-split must be in (0, 1], received {split}")
    if split >= 1 and not len(dataset.validation_items()):
        raise ValueError(f"--train-split must be below 1: rows must be held out, received {split}")
    placed = config.replace(device=device_named() or config.device)
    ops = load_ops(backend, **device_option(placed))
    trained = int(split * count_distinct(dataset, dataset.training_items()))
    space = _space(chosen, config, trained, dataset.triplets is not None)

    def make(found: dict[str, Any]) -> Made:
        return prepared(dataset, chosen | found, encoder_spec, ops, {}, split)

    def told(trial: Trial) -> None:
        value = "failed" if trial.value is None else f"{trial.value:.4f}"
        name = _name(trial)
        click.echo(f"trial {name}: {value} ({trial.number + 1} of {trials})", err=True)

    about = (
        f"{file.name}, {rows} rows (digest {_digest(dataset)}), {split:g} of them, {encoder_spec}, "
        f"{sorted(chosen.items())}"
    )
    defaults = {name: getattr(config, name) for name in space}
    nearest = space.get("graph_k_neighbors")
    if isinstance(nearest, Range):
        defaults["graph_k_neighbors"] = min(config.graph_k_neighbors, int(nearest.high))
    found = tune(
        make, output, space=space, first=defaults, trials=trials, seed=seed, about=about, told=told
    )
    _write(found, output, chosen, space)
    click.echo(f"\n{_table(found, space)}\n\n{_verdict(found)}\n{output / 'best.toml'}: {USE}")


def _digest(dataset: TripletDataset) -> str:
    """A hash of the rows that trials train on and are measured on."""
    rows = np.concatenate([dataset.training_items(), dataset.validation_items()])
    names = None if dataset.label_names is None else dataset.names_of(rows)
    triplets = None if dataset.triplets is None else dataset.triplets.tolist()
    told = json.dumps([content_of(dataset, rows), names, triplets, dataset.groups])
    return sha256(told.encode()).hexdigest()[:12]


def _space(
    chosen: dict[str, Any], config: DTGCNNConfig, rows: int, triplets: bool
) -> dict[str, Range | tuple[Any, ...]]:
    """What is searched: no setting that has a value or is of no use. ``rows`` differ of those that
    train; where they are few, how many neighbours a row has is no question."""
    unused = set() if config.has_start else {"code_weight", "start_weight"}
    unused |= {"loss", "code_weight"} if triplets else set()
    space = {n: own for n, own in SPACE.items() if n not in chosen and n not in unused}
    nearest = space.get("graph_k_neighbors")
    if isinstance(nearest, Range):
        most = min(nearest.high, rows // 4)
        space["graph_k_neighbors"] = replace(nearest, high=most)
        if most <= nearest.low:
            del space["graph_k_neighbors"]
    if not space:
        raise ValueError("--set and --config name all that is searched: nothing is left")
    return space


def _write(
    found: Tuned, output: Path, chosen: dict[str, Any], space: dict[str, Range | tuple[Any, ...]]
) -> None:
    write_settings(output / "best.toml", chosen | found.best.settings)
    columns: dict[str, list[Any]] = {
        "trial": [trial.number for trial in found.trials],
        found.metric: [trial.value for trial in found.trials],
        "epoch": [trial.epoch for trial in found.trials],
    }
    columns |= {name: [trial.settings.get(name) for trial in found.trials] for name in space}
    write_table(output / "trials.csv", columns)
    values = [trial.value for trial in found.trials]
    metric = found.metric.removeprefix("val_")
    try:
        plot_tuning(values, found.importances, output / "tuning.png", metric=metric)
    except ImportError as error:
        click.echo(f"no picture: {error}", err=True)


def _table(found: Tuned, space: dict[str, Range | tuple[Any, ...]]) -> str:
    """The best trials, and the first, for people; and what mattered."""
    shown = found.ranked[:SHOWN]
    shown += [trial for trial in found.ranked[SHOWN:] if trial.number == 0]
    rows = [["trial", found.metric, "epoch", *space]]
    for trial in shown:
        values = [_cell(trial.settings.get(setting)) for setting in space]
        rows.append([_name(trial), f"{trial.value:.4f}", str(trial.epoch), *values])
    parts = ["\n".join(table_lines(rows))]
    if found.importances:
        shares = [[name, f"{100 * share:.0f}%"] for name, share in found.importances.items()]
        parts.append("\n".join(table_lines([["setting", "explains"], *shares])))
    return "\n\n".join(parts)


def _verdict(found: Tuned) -> str:
    """What there is to gain, in words."""
    if found.gain is None:
        return "the settings as they were gave no value"
    said = f"{found.best.number} gives {100 * found.gain:.2f} points more than the settings as they"
    if found.best.number == 0:
        return "no trial gives more than the settings as they were"
    chance = ", which may be chance" if found.gain <= LEAST_GAIN else ""
    return f"trial {said} were{chance}"


def _name(trial: Trial) -> str:
    return f"{trial.number}, as it was" if trial.number == 0 else str(trial.number)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
