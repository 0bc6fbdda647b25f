"""``dtgcnn check``: the data doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..data import Examination, Finding, examine
from ..storage import write_json
from .main import main
from .options import check_file, file_argument

__all__ = ["check"]


@main.command()
@file_argument
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all of it here.")
@click.option(
    "--batch-size", type=click.IntRange(4), default=128, show_default=True, help="As for train."
)
@click.option(
    "--places", type=click.IntRange(0), default=5, show_default=True, help="Rows to name."
)
def check(file: Path, json_file: Path | None, batch_size: int, places: int) -> None:
    """Look over training data: counts, classes, duplicates, contradictions, leaks.

    The exit code is 1 where a fault was found, something that would make figures wrong.

    \b
    Example:
      dtgcnn check tickets.csv --json findings.json
    """
    if json_file is not None:
        check_file("--json", json_file, overwrite=True)
    found = examine(file, batch_size)
    click.echo("\n".join([*_figures(found), "", *_findings(found.findings, places)]))
    if json_file is not None:
        write_json(json_file, found.to_dict())
    sys.exit(1 if found.faults else 0)


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
