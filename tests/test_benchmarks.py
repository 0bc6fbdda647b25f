"""What the scripts under ``benchmarks/`` take from the package is there."""

import ast
import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
OURS = ("dtgcnn", "dtgcnn_numpy", "dtgcnn_mlx", "dtgcnn_conformance")


def imported(file: Path) -> list[tuple[str, str]]:
    """Each name that a script takes from a module of the package."""
    found = [
        node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)
    ]
    return [
        (node.module, alias.name)
        for node in found
        if node.module and node.module.partition(".")[0] in OURS
        for alias in node.names
    ]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_what_a_script_imports_is_there(file: Path) -> None:
    for module, name in imported(file):
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


def test_the_scripts_use_the_package() -> None:
    assert sum(bool(imported(file)) for file in FOLDER.glob("*.py")) > 20
