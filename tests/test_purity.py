"""The core runs where neither NumPy, nor MLX, nor anything but typing-extensions is installed."""

from __future__ import annotations

import subprocess
import sys

CORE = [
    "ops",
    "backends",
    "numerics",
    "random",
    "tree",
    "config",
    "config_file",
    "layers",
    "graph",
    "heads",
    "bank",
    "model",
    "mining",
    "losses",
    "batch_all",
    "contrastive",
    "objective",
    "optim",
    "schedules",
    "trainer",
    "callbacks",
]

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


def test_core_imports_nothing_but_the_standard_library() -> None:
    done = run(PROGRAM)
    assert done.returncode == 0, done.stderr


def test_the_refusal_would_be_seen() -> None:
    done = run(PROGRAM + "\nimport dtgcnn.data")
    assert done.returncode != 0
    assert "the core imports" in done.stderr
