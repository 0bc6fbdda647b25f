"""What a process of the command line loads before it works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
from click.testing import CliRunner

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.data import TfidfEncoder

LOADED = """
import json, sys
from click.testing import CliRunner
from dtgcnn.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
assert result.exit_code == 0, result.output
print(json.dumps(sorted(sys.modules)))
"""

PUT_OFF = """
import sys
from dtgcnn.cli import main
main.get_command(None, "encode")
import sklearn.preprocessing
assert "scipy.stats._stats_py" not in sys.modules
import scipy.stats
from scipy import stats
assert "scipy.stats._stats_py" not in sys.modules
print(scipy.stats.norm.cdf(0.0), scipy.stats.spearmanr([1, 2, 3], [2, 4, 9]).statistic)
print(stats.mode([1, 2, 2]).mode, __import__("pickle").loads(b"cscipy.stats\\nzscore\\n.")([1, 3]))
"""


def loaded_by(*arguments: str) -> set[str]:
    """Modules that a process holds after the command."""
    run = [sys.executable, "-c", LOADED, *arguments]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return set(json.loads(out))


def test_help_loads_no_command_and_no_library_of_arrays() -> None:
    modules = loaded_by("--help")
    assert "dtgcnn.cli.main" in modules
    assert not modules & {"numpy", "scipy", "sklearn", "mlx", "dtgcnn.data", "dtgcnn.cli.train"}


def test_search_of_an_index_loads_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    rows = [(f"{word} {i}", word) for word in ("card", "parcel", "refund") for i in range(8)]
    texts, labels = ([row[i] for row in rows] for i in range(2))
    data = TripletDataset.from_labelled(texts, labels)
    model = DTGCNN(input_dim=8, hidden_dim=8, output_dim=4, backend="numpy")
    model.encoder = TfidfEncoder(8).fit(texts)
    Trainer(model, data.create_dataloaders(8, 1.0)[0], epochs=1, progress=False).train()
    model.save(tmp_path / "model")
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["text,label", *(",".join(row) for row in rows)]) + "\n")
    made = str(tmp_path / "index")
    CliRunner().invoke(main, ["index", str(tmp_path / "model"), str(file), "--output", made])
    modules = loaded_by("search", made, "card 3", "--backend", "numpy")
    assert {"dtgcnn.data.encoders.ngrams", "dtgcnn.evaluation.search_index"} <= modules
    assert "dtgcnn.training" not in modules
    unused = {f"scipy.{room}" for room in ("interpolate", "linalg", "optimize", "special")}
    unused |= {"scipy.stats._stats_py", "sklearn", "rich", "matplotlib", "pandas", "pyarrow"}
    assert not sorted(modules & unused)


def test_a_module_that_was_put_off_is_the_module() -> None:
    run = [sys.executable, "-c", PUT_OFF]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["0.5", "1.0", "2", "[-1.", "1.]"]


def test_help_says_of_each_command_what_its_own_help_does() -> None:
    context = click.Context(main)
    shown = CliRunner().invoke(main, ["--help"], terminal_width=200).output
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        lines = [line.split(maxsplit=1) for line in shown.splitlines() if line.strip()]
        assert [name, command.get_short_help_str(150)] in lines
