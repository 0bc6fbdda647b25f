"""Two commands and one folder: the second is refused before it deletes anything of the first."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN
from dtgcnn.cli import main

QUICK = ["--set", "hidden_dims=[8]", "--set", "output_dim=8", "--epochs", "4", "--k", "3"]
QUICK += ["--set", "input_dim=20", "--batch-size", "12", "--backend", "numpy"]

PAUSED = textwrap.dedent(
    """
    import sys

    from dtgcnn import SaveEveryEpoch
    from dtgcnn.cli import main, train

    def wait():
        print("paused", flush=True)
        sys.stdin.readline()

    where = sys.argv.pop(1)
    if where == "epoch":
        begin = SaveEveryEpoch.on_batch_begin

        def pause(self, trainer, batch, batch_idx):
            if trainer.global_step == 9:
                wait()

        SaveEveryEpoch.on_batch_begin = pause
    else:
        import importlib

        module = importlib.import_module("dtgcnn.cli.train")
        report = module.write_outcome

        def late(*arguments, **options):
            wait()
            report(*arguments, **options)

        module.write_outcome = late
    main()
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is not held on Windows")
@pytest.mark.parametrize("where", ["epoch", "report"])
def test_a_run_keeps_its_folder_to_the_last_file(
    text_file: Path, tmp_path: Path, where: str
) -> None:
    output = tmp_path / "model"
    command = ["train", str(text_file), "--output", str(output), *QUICK, "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, where, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "paused\n"
        before = {path.name: path.stat().st_mtime_ns for path in output.rglob("*")}
        for more in ("--overwrite", "--resume"):
            second = CliRunner().invoke(main, [*command, more])
            assert second.exit_code == 2
            assert f"{output}: another process is training here" in second.output
        assert {path.name: path.stat().st_mtime_ns for path in output.rglob("*")} == before
        first.stdin.write("go on\n")
        first.stdin.close()
        assert first.wait(60) == 0
    assert {path.name for path in output.iterdir() if path.name.startswith(".")} == set()
    assert DTGCNN.load(output, backend="numpy").encode(["the cat"]).any()


def test_a_refused_command_leaves_no_folder(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    command = ["train", str(text_file), "--output", str(output), *QUICK, "--train-split", "7"]
    assert CliRunner().invoke(main, command).exit_code == 2
    assert not (tmp_path / "a").exists()


def test_a_lock_that_a_killed_process_left_holds_nobody_up(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    (output / ".state").mkdir(parents=True)
    for left in (output / ".running", output / ".saving", output / ".state" / "lock"):
        left.touch()
    command = ["train", str(text_file), "--output", str(output), *QUICK, "--no-map"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert DTGCNN.load(output, backend="numpy").bank is not None


def test_a_run_does_not_go_on_with_other_held_out_texts(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    rows = text_file.read_text().splitlines(keepends=True)
    for i in range(4, len(rows), 8):
        rows[i] = rows[i].replace("train", "validation", 1)
    text_file.write_text("".join(rows))
    command = ["train", str(text_file), "--output", str(output), *QUICK, "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, "epoch", *command], stdin=-1, stdout=-1, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "paused\n"
        run.kill()
    held_out = next(i for i, row in enumerate(rows) if row.startswith("validation"))
    changed = [*rows]
    changed[held_out] = changed[held_out].replace("today", "yesterday")
    text_file.write_text("".join(changed))
    refused = CliRunner().invoke(main, [*command, "--resume"])
    assert refused.exit_code == 2
    assert "the data are not those of the run to be resumed" in refused.output
    text_file.write_text("".join(rows))
    done = CliRunner().invoke(main, [*command, "--resume", "--no-map"])
    assert done.exit_code == 0, done.output
