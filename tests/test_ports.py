"""The example ports: short, made from what is public, and found. Their libraries are not needed."""

from __future__ import annotations

import ast
import io
import tokenize
import tomllib

import pytest

import dtgcnn
from dtgcnn.array.backends import GROUP

from .conftest import ROOT

PORTS = ROOT / "examples" / "ports"
NAMES = ("torch", "jax")
MOST_LINES = 200

LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
LAYOUT |= {tokenize.ENDMARKER}


def sources(name: str) -> list[str]:
    """The text of each module of a port."""
    files = sorted((PORTS / name / f"dtgcnn_{name}").rglob("*.py"))
    return [file.read_text(encoding="utf-8") for file in files]


def docstrings(tree: ast.Module) -> set[int]:
    """The lines of strings that stand alone, as docstrings do."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def code_lines(source: str) -> int:
    """How many lines hold code: not blank, not a comment, not a docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings(ast.parse(source)))


def private_imports(source: str) -> list[str]:
    """What is imported of dtgcnn and is not exported by ``dtgcnn`` itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name != "dtgcnn"]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            public = dtgcnn.__all__ if node.module == "dtgcnn" else []
            names = [f"{node.module}.{a.name}" for a in node.names if a.name not in public]
        else:
            continue
        found += [name for name in names if name.partition(".")[0].startswith("dtgcnn")]
    return found


def test_lines_are_counted() -> None:
    source = '"""A\n\nmodule."""\n\nx = (\n    1,  # one\n)\n# no code\ndef f():\n    """Doc."""\n'
    assert code_lines(source + "    return x\n") == 5


def test_private_imports_are_seen() -> None:
    source = "import dtgcnn\nimport torch\nfrom dtgcnn import ArrayOps\nfrom . import ops\n"
    assert private_imports(source) == []
    source += "import dtgcnn.array.tree\nfrom dtgcnn import array\n"
    source += "from dtgcnn.array.random import split\n"
    source += "def late():\n    from dtgcnn_numpy import NumpyOps\n"
    private = [
        "dtgcnn.array.tree",
        "dtgcnn.array",
        "dtgcnn.array.random.split",
        "dtgcnn_numpy.NumpyOps",
    ]
    assert private_imports(source) == private


@pytest.mark.parametrize("name", NAMES)
def test_a_port_is_short(name: str) -> None:
    assert 0 < sum(map(code_lines, sources(name))) <= MOST_LINES


@pytest.mark.parametrize("name", NAMES)
def test_a_port_imports_nothing_private(name: str) -> None:
    assert [private for source in sources(name) for private in private_imports(source)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_port_is_a_distribution_with_an_entry_point(name: str) -> None:
    project = tomllib.loads((PORTS / name / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert project["name"] == f"dtgcnn-{name}"
    needed = {dependency.partition(">")[0] for dependency in project["dependencies"]}
    assert needed == {"dtgcnn", name}
    module, _, factory = project["entry-points"][GROUP][name].partition(":")
    package = PORTS / name / module
    assert (package / "py.typed").is_file()
    assert factory in (package / "__init__.py").read_text(encoding="utf-8")
    assert (PORTS / name / project["readme"]).is_file()


def test_torchs_build_for_cuda_runs_on_a_machine_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.syspath_prepend(PORTS / "torch")
    from dtgcnn_torch import TorchOps

    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert TorchOps.available_devices() == ("cpu",)
    assert TorchOps().device == "cpu"
