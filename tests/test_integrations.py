"""docs/integrations.md: what is shown there runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

PAGE = ROOT / "docs" / "integrations.md"
LIBRARIES = {"scikit-learn": "sklearn"}
"""What each section with a snippet needs."""


def sections() -> dict[str, str]:
    """The snippets of Python under each heading that has some."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    code = {title: re.findall(r"```python\n(.*?)```", text, re.S) for title, text in found.items()}
    return {title: "\n".join(blocks) for title, blocks in code.items() if blocks}


def test_every_snippet_is_run() -> None:
    assert set(sections()) == set(LIBRARIES)


@pytest.mark.filterwarnings("default")  # the libraries warn of their own affairs
@pytest.mark.parametrize("title", LIBRARIES)
def test_a_section(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(LIBRARIES[title])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(sections()[title], f"{PAGE.name}: {title}", "exec"), names)
    if title == "scikit-learn":
        assert names["classifier"].predict(["where is my parcel?"]).tolist() == ["late_delivery"]
        assert (tmp_path / "model" / "model.safetensors").is_file()
