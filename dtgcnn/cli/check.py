"""``dtgcnn check``: the data doctor."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from typing_extensions import override

from ..array import ArrayOps
from ..data import (
    Encoder,
    Examination,
    Finding,
    PieceEncoder,
    RawData,
    TripletDataset,
    examine,
    make_encoder,
    read_file,
    untaught,
    usual_split,
)
from ..errors import DTGCNNError
from ..evaluation import LabelCheck, check_labels
from ..training import TEXT_INPUT_DIM, rehearse
from .main import main
from .options import (
    backend_option,
    check_file,
    check_spec,
    columns_named,
    file_argument,
    ops_of,
    shorten,
    tell,
    tell_reading,
    write_figures,
)
from .preparing import PIECES, prepared
from .streams import InputFile, output_option

__all__ = ["check"]

NOT_TRAINABLE = "not trainable"
MOST = 10
"""Figures of one name in a line, such as splits."""

SOME = 1000
"""Rows that a step of training is tried with."""


@main.command()
@file_argument
@backend_option
@output_option("--json", ".json", help="Write all of it here.")
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
    help="What makes vectors of texts, as for train  [default: tfidf]",
)
def check(
    file: InputFile,
    json_file: Path | None,
    batch_size: int,
    places: int | None,
    labels: bool,
    encoder_spec: str | None,
    backend: str,
) -> None:
    """Look over training data: counts, classes, duplicates, contradictions, leaks; and whether
    train would take it, up to its first step.

    With --labels also which labels logistic regression on the other rows' input vectors does not
    bear out, the worst first, and rows that are nearly equal: in one class, across training and
    test rows, across classes.

    The exit code is 1 where a fault was found, something that would make figures wrong or that
    train refuses. A label that looks wrong is none.

    \b
    Examples:
      dtgcnn check tickets.csv --json findings.json
      dtgcnn check tickets.csv --labels --encoder sentence-transformer:all-MiniLM-L6-v2
    """
    check_file("--json", json_file, overwrite=True)
    ops = ops_of(backend)
    raw, odd = _read(file)
    check_spec(file, raw.features, encoder_spec)
    if labels:
        tell("checking the labels of", len(raw.rows))
    closer = check_labels(raw, _encoder_of(encoder_spec)) if labels else None
    tell("looking over", len(raw.rows))
    found = examine(raw, batch_size)
    found.findings += odd
    if not any(finding.rule == NOT_TRAINABLE for finding in found.findings):
        told = [finding.message for finding in found.findings]
        tell("trying to train on", len(raw.rows))
        more = _rehearsed(raw, batch_size, encoder_spec, ops)
        found.findings += [finding for finding in more if finding.message not in told]
        found.findings.sort(key=lambda finding: finding.level != "fault")
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
        write_figures(json_file, found.to_dict() | ({} if closer is None else closer.to_dict()))
    sys.exit(1 if found.faults else 0)


class _Warnings(logging.Handler):
    """Keeps what is warned of while it lasts, in place of showing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._log = logging.getLogger("dtgcnn")

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> _Warnings:
        self._log.addHandler(self)
        self._log.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.propagate = True


def _read(file: InputFile) -> tuple[RawData, list[Finding]]:
    """The file, and what is odd in it; how it was taken is shown at once."""
    tell_reading(file)
    with _Warnings() as warned:
        raw = read_file(file, columns=columns_named())
    odd = dict.fromkeys(_own(raw, message) for message in warned.messages)
    for note in raw.source.notes:
        click.echo(f"{file}: {note}", err=True)
    return raw, [Finding("warning", "reading", m) for m in odd if m not in raw.source.notes]


def _rehearsed(raw: RawData, batch_size: int, spec: str | None, ops: ArrayOps) -> list[Finding]:
    """What train would warn of up to its first step, or refuse, with no options but these. Of many
    rows some are trained on: what these give, more rows cannot take away. Vectors are made of
    all."""
    if len(raw.rows) > SOME:
        found = _tried(_some(raw), batch_size, spec, ops)
        if all(finding.level == "warning" for finding in found):
            return _tried(raw, batch_size, spec, ops, first_step=False)
    return _tried(raw, batch_size, spec, ops)


def _some(raw: RawData) -> RawData:
    """``SOME`` rows to train on, as many of each class as of the others."""
    if raw.triplets is not None:
        items, places = np.unique(raw.triplets[:SOME], return_inverse=True)
        return replace(raw.only(items, range(SOME)), triplets=places.reshape(-1, 3))
    few = _of_each_class(raw)
    return raw.only(few, few)


def _of_each_class(raw: RawData) -> list[int]:
    by_class: dict[str, list[int]] = {}
    for row, label in enumerate(raw.labels or []):
        if label and (raw.splits is None or raw.splits[row].casefold().startswith("train")):
            by_class.setdefault(label, []).append(row)
    most = max(4, SOME // max(len(by_class), 1))
    few = [row for rows in by_class.values() for row in rows[:most]]
    return sorted(few[:SOME])


def _tried(
    raw: RawData, batch_size: int, spec: str | None, ops: ArrayOps, first_step: bool = True
) -> list[Finding]:
    chosen = {**(PIECES if spec == PieceEncoder.name else {}), "batch_size": batch_size}
    refused = []
    with _Warnings() as warned:
        try:
            dataset = TripletDataset._from_raw(raw)
            split = usual_split(dataset)
            model, *loaders = prepared(dataset, chosen, spec, ops, {}, split)
            rehearse(model, *loaders, first_step=first_step)
        except (DTGCNNError, ValueError) as error:
            refused = [Finding("fault", NOT_TRAINABLE, _own(raw, str(error)))]
    told = dict.fromkeys(_own(raw, message) for message in warned.messages)
    return refused + [Finding("warning", "training", message) for message in told]


def _own(raw: RawData, message: str) -> str:
    return message.removeprefix(f"{raw.source.name}: ")


def _encoder_of(spec: str | None) -> Encoder | None:
    if spec == PieceEncoder.name:
        raise ValueError("--encoder must give vectors, pieces are numbers in a vocabulary")
    # By rows that labels have trained no label looks wrong.
    return None if spec is None else untaught(make_encoder(spec, TEXT_INPUT_DIM))


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
    return ", ".join(parts[:MOST] + ["…"] * (len(parts) > MOST))


def _number(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)


def _findings(findings: list[Finding], most: int) -> list[str]:
    if not findings:
        return ["nothing was found that would trouble training"]
    lines = []
    for finding in findings:
        lines.append(f"{finding.level}: {finding.rule}: {finding.message}")
        lines += [f"    {place}" for place in finding.places[:most]]
        more = len(finding.places[most:]) + finding.unnamed
        if most and more:
            lines.append(f"    and {more} more")
    return lines
