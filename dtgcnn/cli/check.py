"""``dtgcnn check``: the data doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..data import Encoder, Examination, Finding, PieceEncoder, examine, make_encoder
from ..evaluation import LabelCheck, check_labels
from ..storage import write_json
from .main import main
from .options import check_file, file_argument, shorten
from .train import TEXT_INPUT_DIM

__all__ = ["check"]


@main.command()
@file_argument
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all of it here.")
@click.option(
    "--batch-size", type=click.IntRange(4), default=128, show_default=True, help="As for train."
)
@click.option(
    "--places",
    type=click.IntRange(0),
    help="Rows to name  [default: 5 a finding, 25 of --labels]",
)
@click.option("--labels", is_flag=True, help="Look for wrong labels and nearly equal rows too.")
@click.option(
    "--encoder",
    "encoder_spec",
    metavar="SPEC",
    help="What makes vectors of texts for --labels, as for train  [default: tfidf]",
)
def check(
    file: Path,
    json_file: Path | None,
    batch_size: int,
    places: int | None,
    labels: bool,
    encoder_spec: str | None,
) -> None:
    """Look over training data: counts, classes, duplicates, contradictions, leaks.

    With --labels also which labels logistic regression on the other rows' input vectors does not
    bear out, the worst first, and rows that are nearly equal: in one class, across training and
    test rows, across classes.

    The exit code is 1 where a fault was found, something that would make figures wrong. A label
    that looks wrong is none.

    \b
    Examples:
      dtgcnn check tickets.csv --json findings.json
      dtgcnn check tickets.csv --labels --encoder sentence-transformer:all-MiniLM-L6-v2
    """
    if encoder_spec is not None and not labels:
        raise ValueError("--encoder goes with --labels")
    if json_file is not None:
        check_file("--json", json_file, overwrite=True)
    closer = check_labels(file, _encoder_of(encoder_spec)) if labels else None
    found = examine(file, batch_size)
    if closer is not None:
        near = closer.near
        own = {"of cosine": near.bound, "rows looked up": near.looked_up, **near.counts}
        found.figures["near-duplicates"] = own
        found.findings += closer.findings
    named = 5 if places is None else places
    click.echo("\n".join([*_figures(found), "", *_findings(found.findings, named)]))
    if closer is not None:
        click.echo("\n".join(["", *_labels(closer, 25 if places is None else places)]))
    if json_file is not None:
        write_json(json_file, found.to_dict() | ({} if closer is None else closer.to_dict()))
    sys.exit(1 if found.faults else 0)


def _encoder_of(spec: str | None) -> Encoder | None:
    if spec == PieceEncoder.name:
        raise ValueError("--encoder must give vectors, pieces are numbers in a vocabulary")
    return None if spec is None else make_encoder(spec, TEXT_INPUT_DIM)


def _labels(found: LabelCheck, most: int) -> list[str]:
    """The labels that are suspected, a line each."""
    told = f"labels: {found.suspected:,} of {len(found.rows):,} are suspected to be wrong"
    if found.suspected:
        told += "; the worst first, with the label's probability against the likeliest other one's"
    lines = [told]
    if found.left_out:
        lines.append(f"    {len(found.left_out):,} are the only ones of their class: left out")
    for row in [row for row in found.rows if row["suspected"]][:most]:
        text = "" if row["text"] is None else f"  {shorten(row['text'])}"
        change = f"{row['label']} → {row['suggested']}"
        lines.append(f"    {row['score']:.3f}  {row['place']}: {change}{text}")
    return lines


def _figures(found: Examination) -> list[str]:
    """The figures in lines of a name and a value."""
    lines = {"file": found.source, "kind": found.kind}
    for name, value in found.figures.items():
        lines[name] = _shown(value) if isinstance(value, dict) else _number(value)
    width = max(map(len, lines))
    return [f"{name:<{width}}  {value}" for name, value in lines.items()]


def _shown(value: dict[str, Any]) -> str:
    parts = []
    for name, entry in value.items():
        if isinstance(entry, dict):  # a class and its rows
            parts.append(f"{name} {entry['name']} ({_number(entry['rows'])})")
        else:
            parts.append(f"{name} {_number(entry)}")
    return ", ".join(parts)


def _number(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)


def _findings(findings: list[Finding], most: int) -> list[str]:
    if not findings:
        return ["nothing was found that would trouble training"]
    lines = []
    for finding in findings:
        lines.append(f"{finding.level}: {finding.rule}: {finding.message}")
        lines += [f"    {place}" for place in finding.places[:most]]
        more = len(finding.places) - most
        if most and more > 0:
            lines.append(f"    and {more} more")
    return lines
