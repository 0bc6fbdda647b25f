"""Callbacks: what each does to a training, seen from outside."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, Trainer, TrainingError, TripletDataset
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks import (
    DebugCallback,
    EarlyStopping,
    LearningRateMonitor,
    MemoryManager,
    MetricsTracker,
    ModelCheckpoint,
    Monitor,
    TensorboardLogger,
    TrackioLogger,
    WandbLogger,
)
from dtgcnn.plots.curves import plot_curves

from ..conftest import PLAIN, SETTINGS, blobs

NAN = float("nan")


class Scripted(Callback):
    """Puts planned values under ``name`` into the metrics, for the callbacks that follow."""

    def __init__(self, values: Sequence[float], name: str = "val_loss") -> None:
        self.values, self.name = values, name

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        metrics[self.name] = self.values[int(metrics["epoch"]) - 1]


class Breaks(Callback):
    """Ends training by an error at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("the disk is full")


def trainer_of(dataset: TripletDataset, epochs: int = 2, split: float = 0.8, **kw: Any) -> Trainer:
    """A trainer whose model ends as its last epoch left it."""
    train, val = dataset.create_dataloaders(batch_size=24, train_split=split)
    model = DTGCNN(backend="numpy", **{**SETTINGS, **kw})
    return Trainer(
        model,
        train_loader=train,
        val_loader=val,
        epochs=epochs,
        progress=False,
        keep_best=False,
    )


def run(dataset: TripletDataset, *callbacks: Callback, **kw: Any) -> Trainer:
    trainer = trainer_of(dataset, **kw)
    trainer.train(callbacks=callbacks)
    return trainer


def run_scripted(dataset: TripletDataset, values: Sequence[float], callback: Callback) -> Trainer:
    monitor = getattr(callback, "monitor", None)
    name = monitor.name if isinstance(monitor, Monitor) else "val_loss"
    return run(dataset, Scripted(values, name), callback, epochs=len(values))


# -- the monitored metric ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "larger"),
    [
        ("val_loss", "auto", False),
        ("val_triplet_accuracy", "auto", True),
        ("recall@10", "auto", True),
        ("val_MAP@R", "auto", True),
        ("knn@10", "auto", True),
        ("active_fraction", "auto", False),
        ("val_loss", "max", True),
        ("knn@10", "min", False),
    ],
)
def test_which_direction_is_better(name: str, mode: Any, larger: bool) -> None:
    monitor = Monitor(name, mode)
    assert monitor.better(2.0, 1.0) is larger
    assert monitor.better(1.0, 2.0) is not larger
    assert monitor.better(1.0, monitor.worst)
    assert not monitor.better(NAN, monitor.worst)
    assert sorted([2.0, NAN, 1.0], key=monitor.rank)[:2] == ([2.0, 1.0] if larger else [1.0, 2.0])


@pytest.mark.parametrize("make", [EarlyStopping, ModelCheckpoint])
def test_a_metric_that_is_missing_is_named_with_those_there_are(
    make: Any, labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"received 'recall'; there are .*learning_rate, loss"):
        run(labelled, make(monitor="recall"))
    with pytest.raises(ValueError, match="without a validation side, such as 'loss'"):
        run(labelled, make(), split=1.0)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=0), "patience must be at least 1, received 0"),
        (lambda: EarlyStopping(min_delta=-1.0), "min_delta must be at least 0, received -1.0"),
        (lambda: EarlyStopping(mode="up"), "mode must be one of .*, received 'up'"),  # type: ignore[arg-type]
        (lambda: ModelCheckpoint(save_top_k=0), "save_top_k must be -1 or at least 1, received 0"),
        (lambda: ModelCheckpoint(every_n_epochs=0), "every_n_epochs must be at least 1"),
        (lambda: DebugCallback(every_n_epochs=0), "every_n_epochs must be at least 1"),
        (lambda: DebugCallback(sample=1), "sample must be at least 2, received 1"),
        (lambda: DebugCallback(max_gradient_norm=0.0), "max_gradient_norm must be above 0"),
        (lambda: MemoryManager(clear_every=-1), "clear_every must be at least 0, received -1"),
    ],
)
def test_arguments_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# -- early stopping ---------------------------------------------------------------------------


def test_training_stops_after_patience_epochs_without_a_better_value(
    labelled: TripletDataset,
) -> None:
    stopping = EarlyStopping(patience=2)
    trainer = run_scripted(labelled, [0.9, 0.5, 0.6, 0.4, 0.4, 0.5, 0.1, 0.1], stopping)
    assert len(trainer.history) == stopping.stopped_epoch == 6
    assert (stopping.best, stopping.best_epoch) == (0.4, 4)


def test_an_early_stop_is_told(labelled: TripletDataset, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="dtgcnn")
    run_scripted(labelled, [0.9, 0.5, 0.6, 0.7, 0.1], EarlyStopping(patience=2))
    assert (
        "stopped early, after epoch 4 of 5: val_loss has not been better than 0.5, that of epoch "
        "2, for 2 epochs"
    ) in caplog.text


def test_an_early_stop_without_held_out_rows_keeps_the_epoch_of_the_least_loss(
    tmp_path: Path,
) -> None:
    class Look(Callback):
        def on_epoch_end(self, trainer: Any, metrics: dict[str, float]) -> None:
            seen.append((metrics["loss"], trainer.model.params["head"]["weight"]))

    def trainer() -> Trainer:
        loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
        config = {**SETTINGS, "num_epochs": 8, "learning_rate": 10.0, "seed": 2}
        config |= {"early_stopping_patience": 2, "scheduler": "constant"}
        model = DTGCNN(backend="numpy", **config)
        return Trainer(model, train_loader=loader, progress=False, state_dir=tmp_path / "state")

    seen: list[tuple[float, Any]] = []
    run = trainer()
    run.train(callbacks=[Look()])
    best = min(range(len(seen)), key=lambda epoch: seen[epoch][0])
    assert best < len(seen) - 1
    np.testing.assert_array_equal(run.model.params["head"]["weight"], seen[best][1])
    again = trainer()
    again.train(callbacks=[Look()], resume=True)  # it has ended, and knows its best epoch
    np.testing.assert_array_equal(again.model.params["head"]["weight"], seen[best][1])


@pytest.mark.parametrize(("threshold", "own_share"), [(0.0, 0.5), (0.99999, 0.5), (0.99999, 1.0)])
def test_a_graph_without_links_is_told(
    threshold: float, own_share: float, caplog: pytest.LogCaptureFixture
) -> None:
    loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    graph = {"graph_similarity_threshold": threshold, "graph_self_weight": own_share}
    model = DTGCNN(backend="numpy", **{**SETTINGS, **graph})
    debug = DebugCallback()
    trainer = Trainer(model, train_loader=loader, callbacks=[debug], progress=False)
    trainer.train()
    told = threshold > 0 and own_share < 1  # where no row is to listen, links do not matter
    message = "100% of the training rows have no neighbour in the graph: no row is as similar as"
    assert (message in caplog.text) == told
    assert ("isolated_nodes" in {found.kind for found in debug.findings}) == told


def test_training_that_keeps_helping_is_not_stopped(labelled: TripletDataset) -> None:
    stopping = EarlyStopping(patience=1, monitor="val_triplet_accuracy")
    trainer = run_scripted(labelled, [0.1, 0.2, 0.3], stopping)
    assert (len(trainer.history), stopping.stopped_epoch, stopping.best) == (3, 0, 0.3)


@pytest.mark.parametrize(("min_delta", "epochs"), [(0.0, 5), (0.05, 3)])
def test_less_than_min_delta_is_not_better(
    min_delta: float, epochs: int, labelled: TripletDataset
) -> None:
    stopping = EarlyStopping(patience=2, min_delta=min_delta)
    trainer = run_scripted(labelled, [0.50, 0.49, 0.48, 0.47, 0.46], stopping)
    assert len(trainer.history) == epochs


def test_nan_never_counts_as_better(labelled: TripletDataset) -> None:
    stopping = EarlyStopping(patience=2)
    trainer = run_scripted(labelled, [NAN, 0.5, NAN, NAN, 0.1], stopping)
    assert (len(trainer.history), stopping.best) == (4, 0.5)


def test_stopping_begins_anew_with_each_training(labelled: TripletDataset) -> None:
    stopping = EarlyStopping(patience=1)
    trainer = trainer_of(labelled, epochs=3)
    for _ in range(2):
        trainer.train(callbacks=[Scripted([0.5, 0.6, 0.7]), stopping])
    assert stopping.stopped_epoch == 2
    assert [entry["epoch"] for entry in trainer.history] == [1.0, 2.0]


# -- checkpoints ------------------------------------------------------------------------------


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_best_k_models_are_kept(labelled: TripletDataset, tmp_path: Path) -> None:
    keeping = ModelCheckpoint(tmp_path / "c", save_top_k=2)
    run_scripted(labelled, [0.5, 0.9, 0.3, 0.4, 0.3, NAN], keeping)
    kept = ["epoch=003-val_loss=0.3000", "epoch=005-val_loss=0.3000"]
    assert names(tmp_path / "c") == kept
    assert [path.name for path in keeping.paths] == kept  # of equal ones the earlier is best
    assert keeping.best_path == tmp_path / "c" / kept[0]
    assert keeping.best == 0.3


def test_a_kept_model_is_the_one_of_its_epoch(labelled: TripletDataset, tmp_path: Path) -> None:
    seen: list[Any] = []

    class Remember(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            seen.append(trainer.model.encode(blobs()[0]))

    keeping = ModelCheckpoint(tmp_path, monitor="recall/5", save_top_k=1)
    scripted = Scripted([0.5, 0.9, 0.3], "recall/5")
    trainer = run(labelled, Remember(), scripted, keeping, epochs=3)
    assert names(tmp_path) == ["epoch=002-recall_5=0.9000"]
    assert keeping.best_path is not None
    loaded = DTGCNN.load(keeping.best_path, backend="numpy")
    np.testing.assert_array_equal(loaded.encode(blobs()[0]), seen[1])
    assert not np.array_equal(trainer.model.encode(blobs()[0]), seen[1])


def test_all_models_are_kept_every_second_epoch(labelled: TripletDataset, tmp_path: Path) -> None:
    keeping = ModelCheckpoint(tmp_path, save_top_k=-1, every_n_epochs=2)
    run_scripted(labelled, [0.1, 0.2, 0.3, 0.4, 0.5], keeping)
    assert names(tmp_path) == ["epoch=002-val_loss=0.2000", "epoch=004-val_loss=0.4000"]


def test_what_it_did_not_write_stays(labelled: TripletDataset, tmp_path: Path) -> None:
    taken = tmp_path / "epoch=001-val_loss=0.5000"
    trainer_of(labelled).model.save(taken)
    before = {file.name: file.read_bytes() for file in taken.iterdir()}

    class LeaveNote(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            if metrics["epoch"] == 1.0:
                assert keeping.best_path is not None
                assert keeping.best_path.name == "epoch=001-val_loss=0.5000-2"
                (keeping.best_path / "note.txt").write_text("mine")

    keeping = ModelCheckpoint(tmp_path, save_top_k=1)
    run(labelled, Scripted([0.5, 0.4]), keeping, LeaveNote(), epochs=2)
    assert {file.name: file.read_bytes() for file in taken.iterdir()} == before
    assert names(tmp_path / "epoch=001-val_loss=0.5000-2") == ["note.txt"]
    assert "epoch=002-val_loss=0.4000" in names(tmp_path)


def test_a_save_that_fails_costs_no_older_model(
    labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dtgcnn.storage import checkpoint

    real = checkpoint.write_arrays

    def fails(path: Path, *content: Any) -> None:
        if "epoch=002" in path.parent.name:
            raise OSError("the disk is full")
        real(path, *content)

    monkeypatch.setattr(checkpoint, "write_arrays", fails)
    keeping = ModelCheckpoint(tmp_path, save_top_k=1)
    with pytest.raises(OSError, match="the disk is full"):
        run_scripted(labelled, [0.5, 0.4], keeping)
    assert names(tmp_path) == ["epoch=001-val_loss=0.5000"]
    assert keeping.best_path is not None
    DTGCNN.load(keeping.best_path, backend="numpy")


def test_models_of_texts_are_kept_with_their_encoder(text_file: Path, tmp_path: Path) -> None:
    keeping = ModelCheckpoint(tmp_path / "c", save_top_k=1)
    trainer = run(TripletDataset(text_file), Scripted([0.5, 0.4, 0.3]), keeping, epochs=3)
    assert names(tmp_path / "c") == ["epoch=003-val_loss=0.3000"]
    assert keeping.best_path is not None
    loaded = DTGCNN.load(keeping.best_path, backend="numpy")
    texts = ["the cat and the dog", "rain"]
    np.testing.assert_array_equal(loaded.encode(texts), trainer.model.encode(texts))


# -- records ----------------------------------------------------------------------------------


def test_the_learning_rate_of_every_step_is_recorded(labelled: TripletDataset) -> None:
    monitor = LearningRateMonitor()
    trainer = run(labelled, monitor, epochs=3, warmup_epochs=1, learning_rate=1e-2)
    steps = trainer.steps_per_epoch
    assert [step for step, _ in monitor.rates] == list(range(1, 3 * steps + 1))
    rates = [rate for _, rate in monitor.rates]
    assert rates[:steps] == sorted(rates[:steps])
    assert max(rates) == pytest.approx(1e-2)
    assert rates[steps:] == sorted(rates[steps:], reverse=True)
    ends = [entry["learning_rate"] for entry in trainer.history]
    assert ends == [rates[steps - 1], rates[2 * steps - 1], rates[-1]]


def test_metrics_of_every_step_are_tracked(labelled: TripletDataset) -> None:
    tracker = MetricsTracker()
    trainer = run(labelled, tracker)
    steps = trainer.steps_per_epoch
    for name in ("loss", "triplet_accuracy", "mean_positive_distance", "gradient_norm"):
        values = tracker.metrics[name]
        assert len(values) == 2 * steps
        assert np.mean(values[steps:]) == pytest.approx(trainer.history[1][name])
    assert "learning_rate" not in tracker.metrics


def test_a_tracker_takes_what_a_step_has() -> None:
    tracker = MetricsTracker()
    tracker.update({"loss": np.float32(0.5), "hard_negative_ratio": 0.25, "other": 1.0})
    tracker.update({"loss": 0.25})
    assert tracker.metrics["loss"] == [0.5, 0.25]
    assert tracker.metrics["hard_negative_ratio"] == [0.25]
    assert tracker.metrics["gradient_norm"] == []


@pytest.mark.parametrize(
    ("suffix", "signature"), [(".png", b"\x89PNG\r\n\x1a\n"), (".svg", b"<?xml")]
)
def test_metrics_are_drawn_in_two_rows_of_three(
    suffix: str, signature: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="curves are drawn with matplotlib")
    pyplot = sys.modules.get("matplotlib.pyplot")
    tracker = MetricsTracker()
    for loss in (0.3, 0.2, 0.1):
        tracker.update({"loss": loss})
    path = tmp_path / "figures" / f"metrics{suffix}"
    figure = tracker.plot_metrics(path)
    assert path.read_bytes().startswith(signature)
    assert names(path.parent) == [path.name]
    assert [axes.get_title() for axes in figure.axes] == list(tracker.metrics)
    rows, columns = figure.axes[0].get_gridspec().get_geometry()
    assert (rows, columns) == (2, 3)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.3, 0.2, 0.1])
    assert figure.axes[4].texts[0].get_text() == "not recorded"
    assert sys.modules.get("matplotlib.pyplot") is pyplot


def test_metrics_are_drawn_with_the_held_out_rows_and_the_kept_epoch(
    labelled: TripletDataset,
) -> None:
    pytest.importorskip("matplotlib", reason="curves are drawn with matplotlib")
    train, val = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    tracker = MetricsTracker()
    model = DTGCNN(backend="numpy", **PLAIN)
    trainer = Trainer(model, epochs=3, callbacks=[tracker], progress=False)
    history = trainer.train(train, val)
    steps = trainer.steps_per_epoch
    ends = [steps * epoch for epoch in (1, 2, 3)]
    assert trainer.best_epoch is not None
    assert tracker.kept == steps * trainer.best_epoch
    for name in ("val_loss", "val_map@r"):
        assert tracker.validation[name] == [[e, h[name]] for e, h in zip(ends, history)]
    again = MetricsTracker()
    again.load_state_dict(json.loads(json.dumps(tracker.state_dict())))
    assert (again.metrics, again.validation) == (tracker.metrics, tracker.validation)
    again.load_state_dict({"metrics": {"loss": [1.0]}})  # of an earlier release
    assert again.validation == {}

    panels = {axes.get_title(): axes for axes in tracker.plot_metrics().axes if axes.get_title()}
    assert list(panels) == [*tracker.metrics, "held-out rows"]
    lines = {line.get_label(): line for line in panels["loss"].lines}
    assert list(lines) == ["steps", "mean of an epoch", "held-out rows", "kept"]
    assert lines["held-out rows"].get_ydata() == pytest.approx([h["val_loss"] for h in history])
    assert lines["mean of an epoch"].get_ydata() == pytest.approx([h["loss"] for h in history])
    assert set(lines["kept"].get_xdata()) == {tracker.kept}
    assert panels["triplet_accuracy"].get_ylim() == (0.0, 1.0)
    assert panels["held-out rows"].get_ylim() == (0.0, 1.0)
    assert panels["loss"].get_ylim()[0] == 0.0


def test_drawing_refuses_other_suffixes_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"path must end in \.png or \.svg, received 'm.pdf'"):
        plot_curves({"loss": [1.0]}, tmp_path / "m.pdf")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'dtgcnn\[plot\]'"):
        MetricsTracker().plot_metrics()


# -- TensorBoard ------------------------------------------------------------------------------


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads from a run's folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture
def tensorboard() -> None:
    pytest.importorskip("tensorboard", reason="event files are written by tensorboard")


@pytest.mark.usefixtures("tensorboard")
def test_tensorboard_reads_steps_and_epochs(labelled: TripletDataset, tmp_path: Path) -> None:
    logger, tracker = TensorboardLogger(tmp_path, "one"), MetricsTracker()
    trainer = run(labelled, logger, tracker)
    assert logger.path == tmp_path / "one"
    read = scalars(logger.path)
    steps = range(1, 2 * trainer.steps_per_epoch + 1)
    per_step = {"loss", "learning_rate", "gradient_norm", "active_fraction"}
    assert {tag for tag in read if tag.startswith("train/")} == {f"train/{n}" for n in per_step}
    assert [step for step, _ in read["train/loss"]] == list(steps)
    losses = [value for _, value in read["train/loss"]]
    np.testing.assert_allclose(losses, tracker.metrics["loss"], rtol=1e-6)
    for name in set(trainer.history[0]) - {"epoch"}:
        expected = [entry[name] for entry in trainer.history]
        assert [step for step, _ in read[f"epoch/{name}"]] == [1, 2]
        np.testing.assert_allclose([v for _, v in read[f"epoch/{name}"]], expected, rtol=1e-6)


@pytest.mark.usefixtures("tensorboard")
def test_event_files_are_whole_after_an_error(labelled: TripletDataset, tmp_path: Path) -> None:
    logger = TensorboardLogger(tmp_path)
    with pytest.raises(RuntimeError, match="the disk is full"):
        run(labelled, logger, Breaks(3), epochs=2)
    assert logger.path is not None
    assert [step for step, _ in scalars(logger.path)["train/loss"]] == [1, 2, 3]


@pytest.mark.usefixtures("tensorboard")
def test_event_files_can_be_read_while_training(labelled: TripletDataset, tmp_path: Path) -> None:
    logger, counts = TensorboardLogger(tmp_path), list[int]()

    class Look(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            assert logger.path is not None
            counts.append(len(scalars(logger.path)["epoch/loss"]))

    run(labelled, logger, Look())
    assert counts == [1, 2]


@pytest.mark.usefixtures("tensorboard")
def test_a_resumed_run_is_one_curve(labelled: TripletDataset, tmp_path: Path) -> None:
    def resumable(step: int) -> TensorboardLogger:
        trainer = trainer_of(labelled)
        trainer.state_dir, trainer.save_every_n_steps = tmp_path / "state", 2
        logger = TensorboardLogger(tmp_path / "runs", "one")
        if step:
            with pytest.raises(RuntimeError, match="the disk is full"):
                trainer.train(callbacks=[logger, Breaks(step)], resume=True)
        else:
            trainer.train(callbacks=[logger, Breaks(step)], resume=True)
        return logger

    resumable(4)  # the fourth step is logged, but not in the state of the second or third
    assert names(tmp_path / "runs") == ["one"]
    logger = resumable(0)
    assert names(tmp_path / "runs") == ["one"]
    assert logger.path is not None
    read = scalars(logger.path)
    assert [step for step, _ in read["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in read["epoch/loss"]] == [1, 2]


@pytest.mark.usefixtures("tensorboard")
def test_every_training_is_a_run_of_its_own(labelled: TripletDataset, tmp_path: Path) -> None:
    logger = TensorboardLogger(tmp_path, "one")
    trainer = trainer_of(labelled, epochs=1)
    for _ in range(2):
        trainer.train(callbacks=[logger])
    assert names(tmp_path) == ["one", "one-2"]
    assert all(len(scalars(tmp_path / name)["epoch/loss"]) == 1 for name in names(tmp_path))


def test_without_tensorboard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ImportError, match=r"pip install 'dtgcnn\[logging\]'"):
        TensorboardLogger()


# -- Weights & Biases -------------------------------------------------------------------------


class FakeRun:
    def __init__(self, **init: Any) -> None:
        self.init = init
        self.axes: dict[str, str] = {}
        self.logged: list[dict[str, float]] = []
        self.exit_code: int | None = None

    def define_metric(self, name: str, step_metric: str) -> None:
        self.axes[name] = step_metric

    def log(self, values: dict[str, float]) -> None:
        assert self.exit_code is None
        self.logged.append(values)

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("wandb")
    fake.init = FakeRun  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)


@pytest.mark.usefixtures("wandb")
def test_wandb_is_sent_steps_and_epochs(labelled: TripletDataset) -> None:
    logger = WandbLogger(project="banking")
    trainer = run(labelled, logger)
    sent = logger.run
    assert sent.init == {"project": "banking", "config": trainer.config.to_dict()}
    assert sent.axes == {"train/*": "step", "epoch/*": "epoch"}
    steps = [values for values in sent.logged if "step" in values]
    assert [values["step"] for values in steps] == list(range(1, 2 * trainer.steps_per_epoch + 1))
    assert all({"train/loss", "train/learning_rate"} <= set(values) for values in steps)
    epochs = [values for values in sent.logged if "epoch" in values]
    assert [values["epoch"] for values in epochs] == [1, 2]
    assert [v["epoch/val_loss"] for v in epochs] == [e["val_loss"] for e in trainer.history]
    assert sent.exit_code == 0


@pytest.mark.usefixtures("wandb")
def test_wandb_learns_that_training_failed(labelled: TripletDataset) -> None:
    logger = WandbLogger(config={"mine": 1})
    with pytest.raises(RuntimeError, match="the disk is full"):
        run(labelled, logger, Breaks(1))
    assert logger.run.init == {"config": {"mine": 1}}
    assert logger.run.exit_code == 1


@pytest.mark.parametrize("library", ["wandb", "trackio"])
def test_a_tracker_tells_each_training_its_own_settings(
    library: str, labelled: TripletDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def begin(**init: Any) -> Any:
        told.append(init["config"]["learning_rate"])
        return MagicMock()

    fake = ModuleType(library)
    fake.init = begin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, library, fake)
    logger = WandbLogger() if library == "wandb" else TrackioLogger()
    train, val = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    for rate in (0.01, 0.02):
        model = DTGCNN(backend="numpy", **SETTINGS | {"learning_rate": rate})
        Trainer(model, callbacks=[logger], progress=False).train(train, val)
    assert told == [0.01, 0.02]


def test_without_wandb_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        ImportError, match=r"WandbLogger needs wandb: pip install 'dtgcnn\[wandb\]'"
    ):
        WandbLogger()


# -- what goes wrong --------------------------------------------------------------------------


class Tamper(Callback):
    """Changes the head after every epoch, for the callbacks that follow."""

    def __init__(self, weight: float = 1.0, bias: float = 0.0) -> None:
        self.weight, self.bias = np.float32(weight), np.float32(bias)

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        head = trainer.model.params["head"]
        head["weight"] = head["weight"] * self.weight
        head["bias"] = head["bias"] + self.bias


def test_a_healthy_training_is_not_warned_about(
    labelled: TripletDataset, caplog: pytest.LogCaptureFixture
) -> None:
    debug = DebugCallback()
    run(labelled, debug, epochs=20, learning_rate=3e-3)
    assert debug.findings == []
    assert caplog.records == []


def test_collapsed_embeddings_are_found(
    labelled: TripletDataset, caplog: pytest.LogCaptureFixture
) -> None:
    debug = DebugCallback(every_n_epochs=2, sample=10)
    trainer = run(labelled, Tamper(bias=1e4), debug, epochs=3, start="none")
    assert [found.kind for found in debug.findings] == ["low_rank", "same_direction"]
    rank, cosine = debug.findings
    assert (rank.epoch, rank.step) == (2, 2 * trainer.steps_per_epoch)
    assert rank.value == pytest.approx(1.0, abs=0.05)
    assert cosine.value == pytest.approx(1.0, abs=0.01)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert [record.module for record in caplog.records] == ["debug", "debug", "collapse"]
    assert {record.name for record in caplog.records} == {"dtgcnn"}
    assert "lower learning_rate or raise triplet_margin" in caplog.text


def test_embeddings_on_a_line_are_found_by_their_rank_alone(labelled: TripletDataset) -> None:
    class OneColumn(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            head = trainer.model.params["head"]
            first = np.arange(len(head["bias"])) == 0
            head["weight"] = head["weight"] * first.astype(np.float32)
            head["bias"] = head["bias"] * np.float32(0.0)

    debug = DebugCallback()
    run(labelled, OneColumn(), debug, epochs=1, start="none")
    assert [found.kind for found in debug.findings] == ["low_rank"]


def test_a_layer_that_makes_its_rows_alike_is_found(labelled: TripletDataset) -> None:
    class Alike(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            norm = trainer.model.params["gcn"]["1"]["norm"]
            norm["weight"], norm["bias"] = norm["weight"] * np.float32(0.0), norm["bias"] + 9

    debug = DebugCallback()
    run(labelled, Alike(), debug, epochs=1, hidden_dims=(8, 9, 10))
    found, after = (found for found in debug.findings if found.kind == "over_smoothing")
    assert "gcn.2" in after.message  # what it is given is alike already
    assert found.value == pytest.approx(1.0, abs=1e-3)
    assert "graph convolution 1 (gcn.1) makes its rows alike" in found.message


def test_embeddings_that_are_not_finite_are_found(labelled: TripletDataset) -> None:
    debug = DebugCallback()
    with np.errstate(all="ignore"):
        run(labelled, Tamper(bias=NAN), debug, epochs=1)
    assert [found.kind for found in debug.findings] == ["not_finite"]
    assert "go back to the last saved model" in debug.findings[0].message


def test_an_exploding_gradient_is_found_once_an_epoch(
    labelled: TripletDataset, caplog: pytest.LogCaptureFixture
) -> None:
    debug, tracker = DebugCallback(max_gradient_norm=1e-4), MetricsTracker()
    trainer = run(labelled, debug, tracker)
    assert [found.kind for found in debug.findings] == ["gradient_explosion"] * 2
    first, second = debug.findings
    assert (first.epoch, first.step, first.value) == (1, 1, tracker.metrics["gradient_norm"][0])
    assert (second.epoch, second.step) == (2, trainer.steps_per_epoch + 1)
    assert "above 0.0001: lower learning_rate or gradient_clip_val" in caplog.text


def test_a_gradient_that_is_not_a_number_is_found(labelled: TripletDataset) -> None:
    debug, trainer = DebugCallback(), trainer_of(labelled)
    debug.on_epoch_begin(trainer, 1)
    debug.on_batch_end(trainer, {"loss": 0.5, "gradient_norm": NAN}, None, 0)
    assert [found.kind for found in debug.findings] == ["not_finite"]
    assert "the loss is 0.5, its gradient's norm nan: lower" in debug.findings[0].message


@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_what_there_is_to_know_of_a_step_that_is_not_finite_is_kept(
    scope: str, labelled: TripletDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batches: list[Any] = []
    calls: list[str] = []

    class Poison(Callback):
        def on_batch_begin(self, trainer: Trainer, batch: Any, batch_idx: int) -> None:
            batches.append(batch)
            if trainer.global_step == 4:
                head = trainer.model.params["head"]
                head["bias"] = head["bias"] + np.float32(np.inf)

        def on_exception(self, trainer: Trainer, error: BaseException) -> None:
            calls.append(f"{type(error).__name__} after step {trainer.global_step}")

        def on_train_end(self, trainer: Trainer) -> None:
            calls.append("end")

    debug = DebugCallback(debug_dir=tmp_path)
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="the loss is nan"):
        run(labelled, Poison(), debug, graph_scope=scope)
    assert calls == ["TrainingError after step 5", "end"]
    (found,) = debug.findings
    assert (found.kind, found.epoch, found.step) == ("not_finite", 2, 5)
    assert f"{tmp_path / 'step=000005'} holds the step's batch and model" in caplog.text
    known = json.loads((tmp_path / "step=000005" / "batch.json").read_text())
    assert known["items"] == batches[-1].items.tolist()
    assert known["labels"] == batches[-1].labels.tolist()
    assert known["metrics"]["loss"] == "nan"
    assert known["metrics"]["learning_rate"] > 0
    assert (known["epoch"], known["step"], known["triplets"]) == (2, 5, None)
    assert known["config"]["graph_scope"] == scope
    model = DTGCNN.load(tmp_path / "step=000005", backend="numpy")
    assert np.isinf(model.params["head"]["bias"]).all()  # as it was before the step, not after
    assert np.isfinite(model.params["head"]["weight"]).all()


def test_without_a_folder_nothing_is_written_of_it(labelled: TripletDataset) -> None:
    with pytest.raises(ValueError, match="save_debug_info needs a debug_dir to write in"):
        DebugCallback().save_debug_info(trainer_of(labelled), None)


def test_looking_leaves_training_as_it_is(labelled: TripletDataset, tmp_path: Path) -> None:
    watched = run(labelled, DebugCallback(), MemoryManager(1), ModelCheckpoint(tmp_path))
    alone = flatten(run(labelled).model.params)
    for name, leaf in flatten(watched.model.params).items():
        np.testing.assert_array_equal(leaf, alone[name])


# -- memory -----------------------------------------------------------------------------------


def test_the_cache_is_emptied_every_few_steps(
    labelled: TripletDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, manager, cleared = trainer_of(labelled), MemoryManager(clear_every=3), list[int]()
    usage = iter([50, 70, 60, *[10] * 50])
    ops: Any = type(trainer.model.ops)
    clear = lambda self: cleared.append(trainer.global_step)  # noqa: E731
    monkeypatch.setattr(ops, "clear_cache", clear, raising=False)
    monkeypatch.setattr(ops, "memory", lambda self: {"active": next(usage)})
    trainer.train(callbacks=[manager])
    steps = 2 * trainer.steps_per_epoch
    of_fit = [0, 0]  # before the start is fitted and after
    of_calibration = [steps]
    assert cleared == [*of_fit, *range(3, steps + 1, 3), *of_calibration]
    of_manager = len(cleared) - len(of_fit) - len(of_calibration)
    assert (manager.cleared, manager.peak) == (of_manager, 70)


def test_a_backend_without_a_cache_is_left_alone(
    labelled: TripletDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, manager = trainer_of(labelled), MemoryManager(clear_every=1)
    monkeypatch.delattr(type(trainer.model.ops), "clear_cache")
    trainer.train(callbacks=[manager])
    assert manager.cleared == 0
    assert 0 < manager.peak <= trainer.model.ops.memory()["peak"]
