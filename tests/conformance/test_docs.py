"""What the pages on conformance and on porting say is what the code is."""

from __future__ import annotations

import re

from dtgcnn_conformance.registry import TIERS
from dtgcnn_conformance.tolerances import TOLERANCES, Tolerance

from ..conftest import ROOT

PORT = ROOT / "examples" / "ports" / "torch"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rows(page: str, head: str) -> dict[str, list[str]]:
    """The cells of the table whose first row begins with ``head``, by their first cell."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    table = text[text.index(f"| {head}") :].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {first.strip("`"): rest for first, *rest in cells}


def shown(tolerance: Tolerance) -> str:
    return "exact" if tolerance.rtol == 0.0 else f"{tolerance.rtol:g}, {tolerance.atol:g}"


def test_the_page_names_every_tier() -> None:
    assert tuple(rows("conformance.md", "tier | what")) == TIERS


def test_the_tolerances_are_the_suites() -> None:
    expected = {
        tier: [shown(entry.value), shown(entry.gradient), entry.reason]
        for tier, entry in TOLERANCES["float32"].items()
    }
    assert rows("conformance.md", "tier | value") == expected


def test_the_walk_through_is_the_port() -> None:
    """Every block of Python is in the port, and together they are all of it."""
    source = (PORT / "dtgcnn_torch" / "ops.py").read_text(encoding="utf-8")
    init = (PORT / "dtgcnn_torch" / "__init__.py").read_text(encoding="utf-8")
    first, *parts = blocks("porting.md", "python")
    assert first == init
    assert parts.pop() == (PORT / "dtgcnn_torch" / "group.py").read_text(encoding="utf-8")
    declared = parts.pop()
    assert "expected_failures" in declared
    for part in parts:
        assert part in source
        source = source.replace(part, "", 1)
    left = [line for line in source.splitlines() if line.strip()]
    assert left == ['"""``TorchOps``: ``dtgcnn.array.ops.ArrayOps`` on PyTorch."""']
    assert blocks("porting.md", "toml") == [(PORT / "pyproject.toml").read_text(encoding="utf-8")]
