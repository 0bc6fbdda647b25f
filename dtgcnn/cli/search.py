"""``dtgcnn search``: the texts of a file that are nearest to a query."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from ..evaluation import interleaved, unit_rows
from ..training import load_embedder
from .main import main
from .options import backend_option, file_argument, model_argument, rows_of

__all__ = ["search"]


@main.command()
@model_argument
@file_argument
@click.argument("query")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--by",
    type=click.Choice(["both", "embedding", "input"]),
    default="both",
    show_default=True,
    help="Whose ranking: the trained embedding's, that of the vectors that go in, or by turns.",
)
@backend_option
def search(model: Path, file: Path, query: str, top: int, by: str, backend: str) -> None:
    """Print the texts of FILE that are nearest to QUERY, with both cosine similarities.

    The best text is the embedding's. Those after it come from both rankings by turns, since a query
    that is taken for another class finds its own among the input vectors.
    """
    dataset = rows_of(file)
    if dataset.texts is None:
        raise ValueError(f"{file}: holds vectors; search needs texts to print")
    if not query.strip():
        raise ValueError("QUERY must not be empty")
    loaded = load_embedder(model, backend=backend)
    vectors = loaded.vectors([*dataset.texts, query])
    views = (unit_rows(v) for v in (loaded.encode(vectors), loaded.input_vectors(vectors)))
    trained, plain = (rows[:-1] @ rows[-1] for rows in views)
    if by == "both":
        found = interleaved(trained, plain, top)
    else:
        found = np.argsort(-(trained if by == "embedding" else plain), kind="stable")[:top]
    names = dataset.label_names
    click.echo("embedding  input")
    for row in found:
        label = "" if names is None or dataset.labels is None else f"{names[dataset.labels[row]]}  "
        click.echo(f"{trained[row]:9.3f}  {plain[row]:5.3f}  {label}{dataset.texts[row]}")
