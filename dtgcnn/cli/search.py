"""``dtgcnn search``: the texts of a file that are nearest to a query."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from ..evaluation import unit_rows
from ..training import load_embedder
from .main import main
from .options import backend_option, file_argument, model_argument, rows_of

__all__ = ["search"]


@main.command()
@model_argument
@file_argument
@click.argument("query")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@backend_option
def search(model: Path, file: Path, query: str, top: int, backend: str) -> None:
    """Print the texts of FILE that are nearest to QUERY, with their cosine similarity."""
    dataset = rows_of(file)
    if dataset.texts is None:
        raise ValueError(f"{file}: holds vectors; search needs texts to print")
    if not query.strip():
        raise ValueError("QUERY must not be empty")
    loaded = load_embedder(model, backend=backend)
    embeddings = unit_rows(loaded.encode([*dataset.texts, query]))
    similarity = embeddings[:-1] @ embeddings[-1]
    names = dataset.label_names
    for row in np.argsort(-similarity, kind="stable")[:top]:
        label = "" if names is None or dataset.labels is None else f"{names[dataset.labels[row]]}  "
        click.echo(f"{similarity[row]:.3f}  {label}{dataset.texts[row]}")
