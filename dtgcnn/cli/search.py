"""``dtgcnn search``: the rows of an index or of a file that are nearest to a query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data import SUFFIXES, is_data_path
from ..evaluation import Hit, Ranking, SearchIndex
from ..model import DTGCNN
from ..storage import holds_ensemble, holds_index, main_file, of_one_save
from .main import main
from .options import (
    backend_option,
    columns_options,
    loaded_for,
    model_argument,
    ops_of,
    rows_of,
    tell,
)
from .streams import InputFile, given_file, input_options, is_named_as_file, is_stream

__all__ = ["search"]

_FILES = {*SUFFIXES, ".gz"}


@main.command()
@model_argument
@click.argument("arguments", metavar="[FILE] QUERY...", nargs=-1, required=True)
@columns_options
@input_options
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--by",
    type=click.Choice(["both", "embedding", "input"]),
    default="both",
    show_default=True,
    help="Whose ranking: the trained embedding's, that of the vectors that go in, or by turns.",
)
@click.option(
    "--approximate",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What index --export wrote: find most of the embedding's nearest, in less time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list of queries.")
@backend_option
def search(
    model: Path,
    arguments: tuple[str, ...],
    top: int,
    by: Ranking,
    approximate: Path | None,
    as_json: bool,
    backend: str,
) -> None:
    """Print the rows of FILE that are nearest to each QUERY, with both cosine similarities.

    Where DIR was made by ``dtgcnn index`` FILE may be left out: its rows are those that were
    indexed, and no row is encoded again. A model that was trained on vectors takes them as queries:
    each QUERY is a file of them (.npy, .npz, .safetensors). FILE or QUERY may be -, standard input;
    of QUERY each row there is one.

    The best row is the embedding's. Those after it come from both rankings by turns, since a query
    that is taken for another class finds its own among the input vectors.
    """
    indexed = holds_index(main_file(model))
    first = arguments[0]
    has_file = not indexed or (len(arguments) > 1 and (is_stream(first) or is_data_path(first)))
    given = arguments[1:] if has_file else arguments
    if not given:
        if not model.is_dir():
            raise ValueError(f"{model}: no such folder of a model or an index")
        if not main_file(model).is_file():
            _saved(model, backend)  # which says what is missing there
        raise ValueError(
            f"QUERY is missing: {model} holds no index, so {first!r} is the FILE to search"
        )
    if not all(query.strip() for query in given):
        raise ValueError("QUERY must not be empty")
    if has_file and approximate is not None:
        raise ValueError(f"--approximate goes with an index, {model} is searched over a FILE")
    if by == "input" and approximate is not None:
        raise ValueError("--approximate goes with the embedding's ranking, not with --by input")
    index = _over(model, given_file(first), backend) if has_file else None
    index = index or _saved(model, backend)
    if approximate is not None:
        index.approximate(approximate)
    names, queries = _queries(index, given)
    found = index.search(queries, top, by)
    if as_json:
        listed = [[asdict(hit) for hit in hits] for hits in found]
        shown = [{"query": name, "hits": hits} for name, hits in zip(names, listed, strict=True)]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for number, (name, hits) in enumerate(zip(names, found, strict=True)):
        if len(names) > 1:
            click.echo(f"{'' if number == 0 else chr(10)}{name}")
        _show(hits)


def _over(model: Path, file: InputFile, backend: str) -> SearchIndex:
    dataset = rows_of(file)
    loaded = loaded_for(dataset, model, backend)
    tell("encoding", len(dataset))
    return SearchIndex.over(loaded, dataset)


def _saved(model: Path, backend: str) -> SearchIndex:
    kind: Any = DTGCNN
    if holds_ensemble(model):
        from ..training import Ensemble as kind
    ops = ops_of(backend)
    return of_one_save(
        main_file(model),
        lambda: SearchIndex.load(model, model=kind.load(model, ops=ops, mapped=True)),
    )


def _queries(index: SearchIndex, given: Sequence[str]) -> tuple[list[str], Any]:
    """What queries are called, and the queries: texts, or the rows of files of vectors."""
    first = getattr(index.model, "models", [index.model])[0]
    if first.encoder is not None:
        texts: list[str] = []
        for query in given:
            if is_stream(query):
                texts += _texts(query)
                continue
            texts.append(query)
            if Path(query).suffix.lower() in _FILES and is_data_path(query):
                raise ValueError(
                    f"QUERY must be a text, {query} is a file; give its rows on standard input, - "
                    "in its place with --format, or the FILE to search before QUERY"
                )
            if is_named_as_file(query):
                raise ValueError(f"{query}: no such file; QUERY is a text, and --json prints")
        return texts, texts
    names: list[str] = []
    blocks: list[Any] = []
    for name in given:
        file = given_file(name)
        rows = rows_of(file)
        if rows.features is None:
            raise ValueError(f"{file}: holds texts; the model takes vectors")
        try:
            blocks.append(index.model.vectors(rows.features))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        names += [f"{file}, row {row}" for row in range(len(rows))]
    return names, np.concatenate(blocks)


def _texts(query: str) -> list[str]:
    """The texts of a stream."""
    file = given_file(query)
    texts = rows_of(file, "text").texts
    if texts is None:
        raise ValueError(f"{file}: holds vectors; the model takes texts")
    return texts


def _show(hits: Sequence[Hit]) -> None:
    click.echo("embedding  input")
    for hit in hits:
        label = "" if hit.label is None else f"{hit.label}  "
        text = f"row {hit.row}" if hit.text is None else hit.text
        click.echo(f"{hit.embedding:9.3f}  {hit.input:5.3f}  {label}{text}")
