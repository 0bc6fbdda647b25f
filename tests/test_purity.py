"""The core runs where neither NumPy, nor MLX, nor anything but typing-extensions is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from .conftest import ROOT

PACKAGE = ROOT / "dtgcnn"
OUTER = {"cli", "data", "evaluation", "plots", "storage", "__init__", "__main__"}
"""What may use NumPy as the host's array."""


def core() -> set[str]:
    """The rooms of the core, as Import Linter is told."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (modules,) = [c["source_modules"] for c in contracts if c["name"].startswith("The core")]
    return {module.removeprefix("dtgcnn.") for module in modules}


def modules(rooms: set[str]) -> list[str]:
    """Every module of these rooms, a room itself among them."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    return sorted(name for name in names if (*name.split("."), "")[1] in rooms)


CORE = core()

PROGRAM = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("dtgcnn", "typing_extensions"):
            raise ImportError(f"the core imports {name}")

sys.meta_path.insert(0, Refuse())
import importlib
for module in sys.argv[1:]:
    importlib.import_module(module)
from dtgcnn import DTGCNN, Trainer, TripletLoss, load_ops
"""


def run(*modules: str) -> subprocess.CompletedProcess[str]:
    """Import modules where nothing else is to be had."""
    command = [sys.executable, "-c", PROGRAM, *modules]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_module_is_of_the_core_or_around_it() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert not CORE & OUTER
    assert found - {"__pycache__"} == CORE | OUTER


def test_core_imports_nothing_but_the_standard_library() -> None:
    found = modules(CORE)
    found.remove("dtgcnn.training.estimators")  # of scikit-learn, for those who ask for them
    assert {name.split(".")[1] for name in found} == CORE
    assert len(found) > 2 * len(CORE)
    done = run(*found)
    assert done.returncode == 0, done.stderr


def test_the_refusal_would_be_seen() -> None:
    done = run("dtgcnn.data")
    assert done.returncode != 0
    assert "the core imports" in done.stderr
