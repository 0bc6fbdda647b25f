"""``dtgcnn train --resume``, and what a killed command leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN
from dtgcnn.cli import main

QUICK = ["--set", "hidden_dims=[8]", "--set", "output_dim=8", "--epochs", "4", "--k", "3"]
QUICK += ["--set", "input_dim=20", "--batch-size", "12", "--save-every", "2", "--no-map"]

KILLED = textwrap.dedent(
    """
    import os, signal, sys

    from dtgcnn import SaveEveryEpoch
    from dtgcnn.cli import main

    step = int(sys.argv.pop(1))

    def kill(self, trainer, batch, batch_idx):
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    SaveEveryEpoch.on_batch_begin = kill
    main()
    """
)


def train(file: Path, output: Path, *more: str) -> Result:
    arguments = ["train", str(file), "--output", str(output), "--backend", "numpy", *QUICK, *more]
    return CliRunner().invoke(main, arguments)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("epochs_done", [0, 2])
def test_a_killed_command_goes_on(text_file: Path, tmp_path: Path, epochs_done: int) -> None:
    whole, output = tmp_path / "whole", tmp_path / "killed"
    done = train(text_file, whole)
    assert done.exit_code == 0, done.output
    history = json.loads((whole / "metrics.json").read_text())["history"]
    command = ["train", str(text_file), "--output", str(output), "--backend", "numpy", *QUICK]
    steps = int(done.output.split(" steps an epoch")[0].split()[-1])
    step = str(epochs_done * steps + 3)
    process = subprocess.run(
        [sys.executable, "-c", KILLED, step, *command], capture_output=True, check=False
    )
    assert process.returncode == -9, process.stderr
    assert (output / "model.safetensors").exists() is (epochs_done > 0)
    refused = train(text_file, output)
    assert refused.exit_code == 2
    assert "holds a run that did not finish: --resume goes on with it" in refused.output
    other = train(text_file, output, "--resume", "--margin", "0.3")
    assert other.exit_code == 2
    assert "triplet_margin must be 0.2, as in the run to be resumed, received 0.3" in other.output
    done = train(text_file, output, "--resume")
    assert done.exit_code == 0, done.output
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()
    again = json.loads((output / "metrics.json").read_text())["history"]
    for metrics in (*history, *again):
        del metrics["seconds"]
    assert again == history
    assert not list(output.glob(".*"))
    finished = train(text_file, output, "--resume")
    assert finished.exit_code == 2
    assert "holds a finished model, there is no run to resume: --overwrite" in finished.output


def test_resume_begins_where_there_is_nothing_yet(text_file: Path, tmp_path: Path) -> None:
    done = train(text_file, tmp_path / "m", "--resume")
    assert done.exit_code == 0, done.output
    assert DTGCNN.load(tmp_path / "m", backend="numpy").encode(["the cat"]).shape == (1, 8)


KILLED_AT_ONCE = """
import os, sys
from dtgcnn import Callback, cli
from dtgcnn.callbacks import SaveEveryEpoch

def kill(self, trainer, outputs, batch, batch_idx):
    os.kill(os.getpid(), 9)

SaveEveryEpoch.on_batch_end = kill
cli.main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_that_is_killed_in_its_first_epoch_leaves_a_record(
    text_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "m"
    settings = ["--set", "input_dim=12", "--set", "hidden_dims=[8]", "--set", "num_threads=1"]
    arguments = ["train", str(text_file), "--output", str(output), "--seed", "7", *settings]
    arguments += ["--epochs", "1", "--no-map", "--backend", "numpy"]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_ONCE, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    record = json.loads((output / ".state" / "run.json").read_text())
    assert (record["config"]["seed"], record["config"]["hidden_dims"]) == (7, [8])
    made = record["trained_with"]
    assert (made["backend"], made["device"], made["threads"]) == ("numpy", "cpu", 1)
    assert made["numpy"] == np.__version__
    again = [sys.executable, "-m", "dtgcnn", *arguments]  # there is nothing to go on from
    subprocess.run(again, check=True, capture_output=True)
    saved = json.loads((output / "config.json").read_text())
    assert (saved["config"], saved["trained_with"]) == (record["config"], made)
    assert not (output / ".state").exists()
