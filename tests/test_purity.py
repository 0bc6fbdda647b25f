"""The core runs where neither NumPy, nor MLX, nor anything but typing-extensions is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUTER = {
    *("data", "files", "checkpoint", "ensemble", "ensemble_files", "evaluate", "diagnostics"),
    *("report", "projection", "links", "plots", "cli", "__init__", "__main__"),
}
"""What may use NumPy as the host's array."""


def core() -> list[str]:
    """The modules of the core, as Import Linter is told."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (modules,) = [c["source_modules"] for c in contracts if c["name"].startswith("The core")]
    return [module.removeprefix("dtgcnn.") for module in modules]


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
import dtgcnn
for module in sys.argv[1:]:
    importlib.import_module(f"dtgcnn.{module}")
from dtgcnn import DTGCNN, Trainer, TripletLoss, load_ops
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *CORE], capture_output=True, text=True, check=False
    )


def test_every_module_is_of_the_core_or_around_it() -> None:
    found = {path.stem for path in (ROOT / "dtgcnn").iterdir() if path.suffix in ("", ".py")}
    assert found - {"__pycache__"} == {*CORE, *OUTER}


def test_core_imports_nothing_but_the_standard_library() -> None:
    done = run(PROGRAM)
    assert done.returncode == 0, done.stderr


def test_the_refusal_would_be_seen() -> None:
    done = run(PROGRAM + "\nimport dtgcnn.data")
    assert done.returncode != 0
    assert "the core imports" in done.stderr
