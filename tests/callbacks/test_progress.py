"""``ProgressBar``: what a terminal shows, what a file gets, and ``dtgcnn train --quiet``."""

from __future__ import annotations

import io
import re
import sys
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, Callback, Trainer, TripletDataset
from dtgcnn.callbacks import ProgressBar, StopAfter
from dtgcnn.cli import main, options
from dtgcnn.data import PieceEncoder, progress_bar
from dtgcnn.data.encoders import encoding, tfidf

from ..conftest import SETTINGS, blobs

METRICS = {
    **{"active_fraction": 0.25, "triplet_accuracy": 0.5, "gradient_norm": 2.0, "loss": 0.125},
    **{"val_loss": 0.0625, "val_recall@1": 0.75, "val_map@r": 0.625, "seconds": 1.25},
}
"""Of an epoch; more than a line has room for."""

FIGURES = "loss 0.1250  val_map@r 0.6250  val_recall@1 0.7500  val_loss 0.0625"


class Stream(io.StringIO):
    """Standard error, on a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def screen(self) -> list[str]:
        """What one sees: each line as far as it was not written over."""
        lines = []
        for line in self.getvalue().split("\n"):
            seen = ""
            for part in line.split("\r"):
                seen = part + seen[len(part) :]
            lines.append(seen.rstrip())
        return lines

    @property
    def drawn(self) -> list[str]:
        """The states of the line that moves, without the blanks at their ends."""
        return [part.rstrip() for part in self.getvalue().split("\r")[1:]]

    @property
    def epochs(self) -> list[int]:
        """Those that were shown."""
        found = re.findall(r"epoch +(\d+)/\d+  loss", self.getvalue())
        return [int(epoch) for epoch, _ in groupby(found)]


def stream(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> Stream:
    """Standard error of the bar alone: pytest sets its own one anew after the fixtures."""
    made = Stream(terminal)
    monkeypatch.setattr("dtgcnn.callbacks.progress.sys", SimpleNamespace(stderr=made))
    return made


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Stream:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("dtgcnn.callbacks.progress.PATIENCE", float("inf"))
    return stream(monkeypatch, terminal=True)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Stream:
    return stream(monkeypatch, terminal=False)


@pytest.fixture(params=["terminal", "file"])
def either(request: pytest.FixtureRequest) -> Stream:
    return request.getfixturevalue(request.param)


class Breaks(Callback):
    """Ends training as Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        self.now = epoch

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.now == self.epoch and batch_idx == 1:
            raise KeyboardInterrupt


def trainer_of(dataset: TripletDataset, epochs: int = 20, **options: Any) -> Trainer:
    train, val = dataset.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(backend="numpy", **SETTINGS)
    return Trainer(model, train_loader=train, val_loader=val, epochs=epochs, **options)


def view(total: int = 100) -> Any:
    return SimpleNamespace(config=SimpleNamespace(num_epochs=total), history=[], steps_per_epoch=8)


def finish(bar: ProgressBar, trainer: Any, epoch: int, **metrics: float) -> None:
    trainer.history.append({"epoch": float(epoch), **(metrics or METRICS)})
    bar.on_epoch_end(trainer, trainer.history[-1])


def show(epochs: range, total: int = 100, **metrics: float) -> None:
    """Training that runs these epochs."""
    bar, trainer = ProgressBar(), view(total)
    bar.on_train_begin(trainer)
    for epoch in epochs:
        finish(bar, trainer, epoch, **metrics)
    bar.on_train_end(trainer)


# -- what is shown, and when ------------------------------------------------------------------


def test_a_line_has_the_epoch_five_figures_and_seconds(either: Stream) -> None:
    show(range(1, 2))
    line = f"epoch   1/100  {FIGURES}  triplet_accuracy 0.5000  1.2 s"
    assert either.screen == [line, ""]


def test_metrics_that_there_are_not_are_not_shown(either: Stream) -> None:
    show(range(1, 2), loss=0.5, active_fraction=1.0, seconds=61.04)
    assert either.screen == ["epoch   1/100  loss 0.5000  active_fraction 1.0000  61.0 s", ""]


def test_a_terminal_has_one_line_that_moves(labelled: TripletDataset, terminal: Stream) -> None:
    trainer_of(labelled, 12).train()
    assert terminal.epochs == list(range(1, 13))
    assert terminal.getvalue().count("\r") == 13
    assert terminal.drawn[-2].endswith("  calibrating")
    line, rest = terminal.screen
    assert re.fullmatch(r"epoch 12/12  loss \d\.\d{4}  val_map@r .*  \d+\.\d s", line)
    assert rest == ""


def test_elsewhere_a_tenth_of_the_run_has_a_line(labelled: TripletDataset, file: Stream) -> None:
    trainer_of(labelled).train()
    assert file.epochs == [1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert "\r" not in file.getvalue()
    assert len(file.screen) == 12


@pytest.mark.parametrize(
    ("total", "epochs"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (15, [1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15]),
        (100, [1, *range(10, 101, 10)]),
    ],
)
def test_tenths_of_any_number_of_epochs(file: Stream, total: int, epochs: list[int]) -> None:
    show(range(1, total + 1), total)
    assert file.epochs == epochs


def test_the_last_epoch_is_shown_where_training_ends_early(
    labelled: TripletDataset, either: Stream
) -> None:
    trainer_of(labelled, callbacks=[StopAfter(7)]).train()
    assert either.epochs == ([*range(1, 8)] if either.terminal else [1, 2, 4, 6, 7])
    assert either.screen[-2].startswith("epoch  7/20  loss")
    assert either.screen[-1] == ""


def test_a_resumed_run_shows_its_first_epoch(
    labelled: TripletDataset, either: Stream, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer_of(labelled, callbacks=[Breaks(11)], state_dir=tmp_path, progress=False).train()
    resumed = trainer_of(labelled, callbacks=[Breaks(0)], state_dir=tmp_path)
    resumed.train(resume=True)
    assert either.epochs == ([*range(11, 21)] if either.terminal else [11, *range(12, 21, 2)])
    assert either.screen[-2].startswith("epoch 20/20  loss")


def test_a_run_that_goes_on_at_37(file: Stream) -> None:
    show(range(37, 56))
    assert file.epochs == [37, 40, 50, 55]


def test_the_last_state_stays_where_training_breaks_off(
    labelled: TripletDataset, either: Stream
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer_of(labelled, callbacks=[Breaks(8)]).train()
    assert either.epochs == ([*range(1, 8)] if either.terminal else [1, 2, 4, 6, 7])
    assert either.screen[-2].startswith("epoch  7/20  loss")
    assert either.screen[-1] == ""


def test_training_that_breaks_off_at_once_shows_nothing(
    labelled: TripletDataset, either: Stream
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer_of(labelled, callbacks=[Breaks(1)]).train()
    assert either.getvalue() == ""


def test_a_bar_may_be_used_again(labelled: TripletDataset, either: Stream) -> None:
    bar = ProgressBar()
    trainer = trainer_of(labelled, 13, callbacks=[StopAfter(3), bar], progress=False)
    trainer.train()
    trainer.train()
    assert either.epochs == [1, 2, 3, 1, 2, 3]
    assert len(either.screen) == (3 if either.terminal else 7)
    trainer.callbacks[0] = StopAfter(0)
    before = either.getvalue()
    trainer.train()
    assert either.getvalue() == before


def test_without_a_console_there_is_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)  # as pythonw has it
    show(range(1, 3))


def test_a_phase_that_took_long_has_a_line_where_no_bar_is_seen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "dtgcnn"):
        with progress_bar("linking", 1, True) as advance:
            advance(1)
        assert not caplog.messages
        monkeypatch.setattr(encoding, "_LONG", 0.0)
        for shown in (True, False):
            with progress_bar("linking", 1, shown) as advance:
                advance(1)
    assert caplog.messages == ["linking took 0 s"]


def test_commands_say_what_they_do_with_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(options, "_MANY", 8)
    monkeypatch.setattr(options, "_LARGE", 8)
    file = tmp_path / "texts.csv"
    file.write_text("text,label\n" + "a cat,x\na dog,y\n" * 8)
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.exit_code in (0, 1), done.output
    first, *others = caplog.messages
    assert first == f"reading {file}, 0 MB"
    assert others[:1] == ["looking over 16 rows"]


@pytest.mark.parametrize(
    ("command", "phases"),
    [
        (("compare", "model"), ("embedding", "looking up", "telling classes")),
        (("evaluate",), ("embedding", "looking up", "fitting rivals", "telling classes")),
        (("encode", "--output", "x.npy"), ("encoding 80 rows", "embedding")),
        (("next",), ("choosing among 80 rows",)),
        (("predict",), ("telling the classes of 80 rows",)),
        (("add", "--output", "other"), ("adding 80 rows",)),
        (("remove", "--output", "other"), ("removing from",)),
        (("plot", "--method", "pca"), ("drawing 80 rows",)),
    ],
)
def test_commands_name_their_phases(
    command: tuple[str, ...],
    phases: tuple[str, ...],
    trained: DTGCNN,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoding, "_LONG", 0.0)
    monkeypatch.setattr(options, "_MANY", 8)
    x, y = blobs()
    if command[0] == "next":
        np.save("rows.npy", x + 0.01)
    elif command[0] == "remove":
        np.save("rows.npy", x[:20])
    else:
        np.savez("rows.npz", x=x, y=y, split=["train", "test"] * 40)
    trained.save("model")
    name, *others = command
    rows = "rows.npy" if name in ("next", "remove") else "rows.npz"
    done = CliRunner().invoke(main, [name, "model", *others, rows])
    assert done.exit_code == 0, done.output
    for phase in phases:
        assert any(message.startswith(phase) for message in caplog.messages), phase


# -- the line that moves ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (115, f"epoch  37/100  {FIGURES}  triplet_accuracy 0.5000  1.2 s"),
        (114, f"epoch  37/100  {FIGURES}  1.2 s"),
        (80, "epoch  37/100  loss 0.1250  val_map@r 0.6250  val_recall@1 0.7500  1.2 s"),
        (40, "epoch  37/100  loss 0.1250  1.2 s"),
        (21, "epoch  37/100  1.2 s"),
        (11, "epoch  37/"),
        (1, ""),
    ],
)
def test_a_narrow_terminal_leaves_figures_out(
    terminal: Stream, monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show(range(36, 38))
    drawn = terminal.getvalue().removesuffix("\n").split("\r")
    assert max(len(state) for state in drawn) < columns
    assert terminal.screen[0] == line


def test_a_shorter_state_wipes_a_longer_one_off(
    terminal: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bar, trainer = ProgressBar(), view()
    bar.on_train_begin(trainer)
    finish(bar, trainer, 1)
    finish(bar, trainer, 2, loss=0.5, seconds=2.0)
    assert terminal.screen == ["epoch   2/100  loss 0.5000  2.0 s"]
    finish(bar, trainer, 3)
    monkeypatch.setenv("COLUMNS", "60")  # the window was made smaller
    finish(bar, trainer, 4)
    assert len(terminal.getvalue().split("\r")[-1]) < 60


def test_a_warning_stands_apart(terminal: Stream) -> None:
    bar, trainer = ProgressBar(), view()
    bar.on_train_begin(trainer)
    finish(bar, trainer, 1)
    print("the embeddings have fallen together", file=terminal)
    finish(bar, trainer, 2)
    assert terminal.screen[0].endswith("  1.2 s  the embeddings have fallen together")
    assert terminal.screen[1].startswith("epoch   2/100  loss")


def test_an_epoch_that_lasts_shows_its_steps(
    labelled: TripletDataset, terminal: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtgcnn.callbacks.progress.PATIENCE", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    trainer = trainer_of(labelled, 12, callbacks=[Breaks(2)])
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    steps = trainer.steps_per_epoch
    *running, finished, one, two = terminal.drawn
    assert running == [f"epoch  1/12: step {step}/{steps}" for step in range(1, steps + 1)]
    assert re.fullmatch(r"epoch  1/12  loss .*  \d+\.\d s", finished)
    assert [one, two] == [f"{finished}  epoch  2/12: step {step}/{steps}" for step in (1, 2)]


def test_the_steps_stay_on_a_narrow_terminal(
    terminal: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtgcnn.callbacks.progress.PATIENCE", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    bar, trainer = ProgressBar(), view()
    bar.on_train_begin(trainer)
    finish(bar, trainer, 1)
    bar.on_batch_end(trainer, {}, None, 4)
    assert terminal.screen == ["epoch   1/100  loss 0.1250  epoch   2/100: step 5/8"]
    monkeypatch.setenv("COLUMNS", "200")
    bar.on_batch_end(trainer, {}, None, 5)
    assert terminal.screen[0].endswith("triplet_accuracy 0.5000  1.2 s  epoch   2/100: step 6/8")


def test_short_epochs_show_no_steps(terminal: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtgcnn.callbacks.progress.PATIENCE", 1.0)
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(
        "dtgcnn.callbacks.progress.time", SimpleNamespace(monotonic=lambda: clock.now)
    )
    bar, trainer, shown = ProgressBar(), view(), []
    bar.on_train_begin(trainer)
    for clock.now in (100.5, 101.0, 101.5, 102.5):
        bar.on_batch_end(trainer, {}, None, 0)
        shown.append(len(terminal.drawn))
    clock.now = 103.0
    finish(bar, trainer, 1)
    clock.now = 103.5
    bar.on_batch_end(trainer, {}, None, 0)
    assert [*shown, len(terminal.drawn)] == [0, 1, 1, 2, 3]


def test_a_file_has_no_steps(
    labelled: TripletDataset, file: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtgcnn.callbacks.progress.PATIENCE", 0.0)
    trainer_of(labelled, 2).train()
    assert "step" not in file.getvalue()


# -- the command line -------------------------------------------------------------------------


def train(file: Path, output: Path, *more: str) -> Result:
    quick = ["--epochs", "3", "--batch-size", "24", "--k", "4", "--backend", "numpy"]
    quick += ["--set", "hidden_dims=[16]", "--set", "output_dim=8"]
    return CliRunner().invoke(main, ["train", str(file), "--output", str(output), *quick, *more])


def test_quiet_leaves_the_table(text_file: Path, tmp_path: Path) -> None:
    loud = train(text_file, tmp_path / "loud")
    quiet = train(text_file, tmp_path / "quiet", "--quiet")
    assert (loud.exit_code, quiet.exit_code) == (0, 0)
    assert quiet.output.startswith("\n21 test rows, looked up among 63 train rows\n\nmetric")
    lines, kept = loud.output.splitlines(), quiet.output.splitlines()
    assert set(kept) < set(lines)
    dropped = [line for line in lines if line not in kept]
    said = [f"{text_file}: 84 rows; ", "epoch 1/3  loss", "epoch 3/3  loss", "trained in "]
    said += ["and anew on all ", "map of the embedding space: ", "trained and measured in "]
    said += ["tfidf compares words, not meanings; ", "model saved in "]
    assert [start for start in said if not any(line.startswith(start) for line in dropped)] == []
    assert (tmp_path / "quiet" / "map.png").exists()


def test_only_who_named_no_encoder_is_told_of_sentence_encoders(
    text_file: Path, triplet_file: Path, tmp_path: Path
) -> None:
    vector_file, rng = tmp_path / "vectors.npz", np.random.default_rng(0)
    np.savez(vector_file, x=rng.normal(size=(60, 8)), y=np.arange(60) % 3)
    told = train(text_file, tmp_path / "texts").output
    named = train(text_file, tmp_path / "named", "--encoder", "tfidf").output
    vectors = train(vector_file, tmp_path / "vectors").output
    triplets = train(triplet_file, tmp_path / "triplets").output
    runs = (told, triplets, named, vectors)
    assert [text.count("a sentence encoder") for text in runs] == [1, 1, 0, 0]
    assert ["L6-v2+tfidf\n" in text for text in runs] == [True, False, False, False]


def test_quiet_leaves_warnings_and_errors(
    triplet_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train(triplet_file, tmp_path / "loud").exit_code == 0
    assert {record.levelname for record in caplog.records} == {"INFO", "WARNING"}
    caplog.clear()
    assert train(triplet_file, tmp_path / "quiet", "--quiet").exit_code == 0
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    refused = train(triplet_file, tmp_path / "quiet", "--quiet")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.output


def test_quiet_holds_for_the_encoder_too(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars, real = [], tfidf.unit_batches

    def unit_batches(what: str, texts: list[str], dim: int, shown: bool, rows_of: Any) -> Any:
        bars.append(shown)
        return real(what, texts, dim, shown, rows_of)

    monkeypatch.setattr(tfidf, "unit_batches", unit_batches)
    train(text_file, tmp_path / "loud", "--no-map")
    assert set(bars) == {True}
    bars.clear()
    train(text_file, tmp_path / "quiet", "--no-map", "--quiet")
    assert set(bars) == {False}
    monkeypatch.setattr(PieceEncoder, "progress", property(), raising=False)  # it has no bar
    pieces = ["--encoder", "pieces", "--set", "vocab_size=99", "--set", "max_length=9"]
    done = train(text_file, tmp_path / "pieces", "--no-map", "--quiet", *pieces)
    assert done.exit_code == 0, done.exception


def test_an_interrupt_is_told_though_quiet(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dtgcnn.cli.outcome.compare", interrupt)
    done = train(text_file, tmp_path / "m", "--quiet")
    assert (done.exit_code, done.output.count("\n")) == (130, 2)
    assert "interrupted: " in done.output
