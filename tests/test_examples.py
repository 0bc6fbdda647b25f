"""Each script in ``examples`` runs as it stands, and prints what its docstring says."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

EXAMPLES = ROOT / "examples"
MOST_LINES = 59

SKLEARN = {"triplets", "labelled_texts", "own_callback", "multitask", "classes", "unlabelled"}
"""Those that fit TF-IDF, or spread labels."""

PRINTED = {
    "triplets": r"epoch 10: held-out loss 0\.\d{3}, (6|7|8|9)\d% in order\n<DTGCNN 128 → 64, ",
    "labelled_texts": r"TF-IDF   recall@1 6.*\ntrained  recall@1 [789]\d\.\d%  MAP@R [5-9]",
    "own_loss": r"val_sure  (0\.9\d\d|1\.000) -> (0\.9\d\d|1\.000)\n",
    "own_callback": r"nearest of the same intent [78]\d\.\d%\nended after \d+ of 30 epochs",
    "vectors": r"1-NN by the vectors    5\d\.\d%\n1-NN by the embedding  9\d\.\d%\n",
    "classes": r"right: [789]\d\.\d% of 144\n.* 0\.[01]\d\d\n.*known .* 1?\d\.\d%\n"
    r".*unseen .* [2-9]\d\.\d%",
    "unlabelled": r"1,\d{3} of 2,000 .* they are used\n.* rows  7\d\.\d%\n.* all rows       [89]",
    "multitask": r"told right: [789]\d\.\d% of 168, by chance 7\.1%\nlengths: correlation 0\.[1-9]",
}
"""What is to be found in the output of each."""

ELSEWHERE = {"ray_encode"}
"""Those that nox runs, in an environment of their own."""


def imports(source: str) -> set[tuple[str, str]]:
    """Modules and names that a script takes from dtgcnn."""
    return {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if node.module.partition(".")[0] == "dtgcnn"
    }


def test_every_example_has_a_test() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED) | ELSEWHERE


@pytest.mark.parametrize("name", [*PRINTED, *ELSEWHERE])
def test_an_example_is_short_and_uses_public_names(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    assert f"python examples/{name}.py" in (ast.get_docstring(ast.parse(source)) or "")
    taken = imports(source)
    assert taken
    for module, used in taken:
        assert module.count(".") <= 1  # the package or a room
        assert used in importlib.import_module(module).__all__


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    if name in SKLEARN:
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTED[name], done.stdout), done.stdout


def test_the_output_folder_is_the_one_that_is_named(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    script, folder = str(EXAMPLES / "triplets.py"), tmp_path / "here"
    subprocess.run([sys.executable, script, str(folder)], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert (folder / "model" / "model.safetensors").is_file()
    assert (folder / "triplets.json").is_file()
