"""What ``train`` tells of a training, and what it writes after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..array import numerics
from ..callbacks import MetricLogger
from ..data import Items, progress_bar
from ..evaluation import Comparison, compare
from ..storage import add_figures, write_json
from ..training import Trainer, chosen_by, costs_recall

__all__ = ["inform", "why_kept", "write_outcome"]

UNSEEN, RECALL = "val_unseen_map@r", "val_recall@1"


def inform(trainer: Trainer, line: str, err: bool = False) -> None:
    """Say what is neither a result nor a warning, unless ``--quiet``."""
    if trainer.progress:
        click.echo(line, err=err)


def why_kept(trainer: Trainer) -> str:
    """Which epoch's weights were kept, and why, as the end of a line."""
    epoch, start = trainer.best_epoch, trainer.start_metrics
    if epoch is None:
        return ""
    metrics = start if epoch == 0 else trainer.history[epoch - 1]
    name = chosen_by(metrics)
    figures = f"{name} {metrics[name]:.4f}"
    if epoch == 0:
        top = max(trainer.history, key=lambda entry: entry.get(name, 0.0), default=start)
        best = top.get(name, 0.0)
        more = name != "val_loss" and best > metrics[name]
        costs = " or than held-out classes lost" if UNSEEN in metrics else ""
        added = f"no more than chance may{costs} (at best {best:.4f})" if more else "nothing"
        did = f"added {added}"
        if more and costs_recall(start, top, name):
            lost = f"{RECALL} {top[RECALL]:.4f}, before {start[RECALL]:.4f}"
            did = f"cost recall@1 where they added most (at best {best:.4f}; {lost})"
        kept = "the start" if trainer.model.origin is None else "the model as it was"
        return f"; on the held-out rows the steps {did}, {kept} is kept: {figures}"
    if name in start:
        figures += f", before the first step {start[name]:.4f}"
    if UNSEEN in metrics and UNSEEN in start:
        figures += f"; {UNSEEN} {metrics[UNSEEN]:.4f}, before {start[UNSEEN]:.4f}"
    return f"; epoch {epoch} of {trainer.config.num_epochs} is kept: {figures}"


def write_outcome(
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


def _draw_map(trainer: Trainer, result: Comparison, path: Path) -> None:
    from ..plots import plot_embedding_map

    panels = {"Input vectors": result.input_vectors, "Trained embedding": result.embeddings}
    try:
        with progress_bar("drawing the map", 1, trainer.progress):
            plot_embedding_map(panels, result.labels, path, label_names=result.label_names)
    except ImportError as error:
        click.echo(f"no map: {error}", err=True)
    else:
        inform(trainer, f"map of the embedding space: {path}")
