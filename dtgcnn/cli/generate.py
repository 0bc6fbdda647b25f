"""``dtgcnn generate``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ..data import NegativeSampling, TripletGenerator, holds_pairs, read_pairs, record_format
from .main import main
from .options import (
    backend_option,
    check_file,
    columns_named,
    dataset_of,
    file_argument,
    ops_of,
    overwrite_option,
    together,
)
from .streams import InputFile, output_option, written

__all__ = ["generate"]


@main.command()
@file_argument
@output_option("--output", ".jsonl", ".csv", ".tsv", ".json", required=True, help="What to write.")
@click.option(
    "--per-anchor", default=5, show_default=True, type=click.IntRange(1), help="Triplets a text."
)
@click.option(
    "--negatives",
    type=click.Choice(get_args(NegativeSampling)),
    default="hard",
    show_default=True,
    help="Which negatives.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    default=0.8,
    show_default=True,
    help="Cosine from which texts of two classes are near-duplicates, and no negatives.",
)
@click.option(
    "--positive-threshold",
    type=click.FloatRange(-1, 1),
    help="The least cosine of a positive.  [default: none]",
)
@click.option(
    "--encoder",
    default="tfidf",
    show_default=True,
    help="What cosines come from: tfidf, hashing, sentence-transformer:MODEL …",
)
@click.option("--balance", is_flag=True, help="Every label gives as many triplets.")
@click.option(
    "--positive-score", type=float, help="Of pairs with scores: from here on they are positive."
)
@click.option("--negative-score", type=float, help="And up to here they are negative.")
@click.option("--seed", default=0, show_default=True, help="Source of every random choice.")
@backend_option
@overwrite_option
def generate(
    file: InputFile,
    output: Path,
    per_anchor: int,
    negatives: str,
    threshold: float,
    positive_threshold: float | None,
    encoder: str,
    balance: bool,
    positive_score: float | None,
    negative_score: float | None,
    seed: int,
    backend: str,
    overwrite: bool,
) -> None:
    """Write triplets of the labelled texts, or of the pairs, in FILE.

    Labelled texts with a split column: of the rows "train" alone. Pairs are records of anchor and
    positive, or of sentence1, sentence2 and score; in place of a score they may have a label, 1 of
    pairs that belong together and 0 of others. The same seed gives the same file.
    Processes that a launcher started by --backend encode together, and the first writes.

    \b
    Examples:
      dtgcnn generate tickets.csv --output triplets.jsonl
      dtgcnn generate tickets.csv --output triplets.csv.gz --negatives semi_hard
      dtgcnn generate pairs.csv --output triplets.jsonl --positive-score 4 --negative-score 1
    """
    world = together(ops_of(backend))
    world.from_first(
        "--output", lambda: check_file("--output", output, overwrite, make_folder=True)
    )
    record_format(output)
    generator = TripletGenerator(
        threshold,
        negatives,
        positive_threshold=positive_threshold,
        encoder=encoder,
        balance_classes=balance,
        seed=seed,
        world=world,
    )
    if holds_pairs(file, columns_named()):
        if balance:
            raise ValueError(f"--balance needs labels, {file} holds pairs")
        report = generator.write_from_pairs(
            output,
            read_pairs(file, columns_named()),
            per_anchor,
            positive_score=positive_score,
            negative_score=negative_score,
            progress=True,
        )
    else:
        for option, value in (
            ("--positive-score", positive_score),
            ("--negative-score", negative_score),
        ):
            if value is not None:
                raise ValueError(f"{option} needs pairs with scores, {file} holds none")
        texts, labels = _labelled(file)
        report = generator.write_triplets(output, texts, labels, per_anchor, progress=True)
    click.echo(report)
    written(output)


def _labelled(file: InputFile) -> tuple[list[str], list[str]]:
    """Texts and labels of the rows to train on."""
    dataset = dataset_of(file)
    if dataset.texts is None or dataset.labels is None or dataset.label_names is None:
        holds = dataset.kind if dataset.texts is not None else "vectors"
        raise ValueError(f"{file}: holds {holds}; give a file of labelled texts or of pairs")
    items = dataset.training_items().tolist()
    return [dataset.texts[i] for i in items], dataset.names_of(items)
