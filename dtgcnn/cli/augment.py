"""``dtgcnn augment``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..data import STRATEGIES, TripletAugmenter, check_format, write_file
from .main import main
from .options import (
    check_file,
    dataset_of,
    file_argument,
    overwrite_option,
    threads_option,
)
from .streams import InputFile, output_option, written

__all__ = ["augment"]

_SHARE = click.FloatRange(0.0, 1.0, min_open=True)


@main.command()
@file_argument
@threads_option
@output_option(
    "--output", ".csv", ".tsv", ".json", ".jsonl", ".npz", required=True, help="What to write."
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice(STRATEGIES),
    help="Once for each.  [default: noise_injection; of vectors, mixup]",
)
@click.option(
    "--probability",
    default=0.3,
    show_default=True,
    type=_SHARE,
    help="That an item is augmented.",
)
@click.option(
    "--versions",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Of an item that is augmented, at most.",
)
@click.option(
    "--change-rate",
    default=0.1,
    show_default=True,
    type=_SHARE,
    help="Changes per word; one at least.",
)
@click.option(
    "--thesaurus",
    default="wordnet",
    show_default=True,
    help="A file with the fields word and synonym, or wordnet.",
)
@click.option(
    "--paraphrase",
    metavar="HOW",
    help="A model of transformers, or MODULE:FUNCTION from a list of texts to one with other "
    "wordings of each.",
)
@click.option(
    "--back-translation", nargs=2, metavar="FORTH BACK", help="Two such models or functions."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), help="A file that keeps what they answer."
)
@click.option("--mixup-alpha", default=1.0, show_default=True, help="Less stays nearer.")
@click.option(
    "--held-out",
    type=click.Path(path_type=Path),
    help="A test set in another file: none of its items is made.",
)
@click.option("--seed", default=0, show_default=True, help="Source of every random choice.")
@overwrite_option
def augment(
    file: InputFile,
    output: Path,
    strategies: tuple[str, ...],
    probability: float,
    versions: int,
    change_rate: float,
    thesaurus: str,
    paraphrase: str | None,
    back_translation: tuple[str, str] | None,
    cache: Path | None,
    mixup_alpha: float,
    held_out: Path | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Write FILE's rows, and new versions of some of them, to another file.

    Of data with a split column, only the rows "train" get new versions.

    \b
    Examples:
      dtgcnn augment tickets.csv --output more.csv --versions 2
      dtgcnn augment tickets.csv --output more.csv --strategy synonym_replacement \\
          --thesaurus synonyms.tsv
      dtgcnn augment tickets.csv --output more.csv --strategy back_translation \\
          --back-translation translate:to_spanish translate:to_english
      dtgcnn augment vectors.npz --output more.npz --strategy mixup
    """
    check_file("--output", output, overwrite)
    dataset = dataset_of(file)
    check_format(dataset, output)
    sys.path.append("")  # a MODULE may lie in the folder that the command runs in
    default = ("noise_injection",) if dataset.features is None else ("mixup",)
    augmenter = TripletAugmenter(
        strategies or default,
        probability,
        change_rate=change_rate,
        thesaurus=thesaurus,
        paraphrase=paraphrase,
        back_translation=back_translation or None,
        cache=cache,
        mixup_alpha=mixup_alpha,
        seed=seed,
    )
    others = None if held_out is None else dataset_of(held_out, labels=False)
    augmented = augmenter.augment_dataset(dataset, versions, others)
    write_file(augmented, output)
    what = "rows" if dataset.triplets is None else "triplets"
    written(output, f"{len(dataset):,} {what} and {len(augmented) - len(dataset):,} new ones")
