"""Experiment trackers with the real libraries, without network: ``nox -s tracking`` runs what is
skipped elsewhere."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN, DTGCNNError, Trainer, TripletDataset
from dtgcnn.callbacks import (
    Callback,
    MetricLogger,
    MlflowLogger,
    TensorboardLogger,
    TrackioLogger,
    WandbLogger,
    held_open,
    loggers_of,
)
from dtgcnn.cli import main

from ..conftest import SETTINGS

# The libraries and what they import warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("default")

SMALL = ("--set", "hidden_dims=[16]", "--set", "output_dim=8", "--backend", "numpy", "--no-map")


@pytest.fixture(scope="module")
def trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Trackio keeps its runs, which it asks for once, as it is imported."""
    return tmp_path_factory.mktemp("trackio")


@pytest.fixture(autouse=True)
def _local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trackio_folder: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRACKIO_DIR", str(trackio_folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def trained(dataset: TripletDataset, *callbacks: Callback) -> Trainer:
    train, val = dataset.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(backend="numpy", **SETTINGS)
    trainer = Trainer(model, callbacks=callbacks, progress=False)
    trainer.train(train, val)
    return trainer


class Breaks(Callback):
    def __init__(self, epoch: float = 1.0) -> None:
        self.epoch = epoch

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        if metrics["epoch"] == self.epoch:
            raise RuntimeError("the disk is full")


def test_tensorboard_opens_settings_figures_and_the_projector(text_file: Path) -> None:
    pytest.importorskip("tensorboard", reason="event files are written by tensorboard")
    from google.protobuf import text_format
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

    done = CliRunner().invoke(
        main,
        ["train", str(text_file), "--output", "m", "--epochs", "2", *SMALL, "--log", "tensorboard"],
    )
    assert done.exit_code == 0, done.output
    told = json.loads(Path("m/metrics.json").read_text())
    events = EventMultiplexer({"m": "runs/m"}).Reload()
    tags = events.Runs()["m"]["scalars"]
    assert {"train/loss", "epoch/val_map@r", "final/trained/map@r", "final/best_epoch"} <= set(tags)
    assert events.Scalars("m", "final/trained/map@r")[0].value == pytest.approx(
        told["trained"]["map@r"], rel=1e-6
    )
    content = events.PluginRunToTagToContent(metadata.PLUGIN_NAME)["m"]
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["num_epochs"].number_value == 2
    assert start.hparams["hidden_dims"].string_value == "[16]"

    config = text_format.Parse(Path("runs/m/projector_config.pbtxt").read_text(), ProjectorConfig())
    vectors = _read_tensor_tsv_file(str(Path("runs/m") / config.embeddings[0].tensor_path))
    head, *rows = Path("runs/m", config.embeddings[0].metadata_path).read_text().splitlines()
    assert head == "label\ttext"
    assert vectors.shape == (21, 8) == (len(rows), 8)
    texts = [row.split("\t")[1] for row in rows]
    np.testing.assert_allclose(vectors, DTGCNN.load("m", backend="numpy").encode(texts), atol=1e-5)


def test_mlflow_keeps_settings_steps_and_figures(labelled: TripletDataset) -> None:
    mlflow = pytest.importorskip("mlflow")
    logger = MlflowLogger("banking", "one")
    with held_open([logger]):
        trainer = trained(labelled, logger)
        assert mlflow.MlflowClient().get_run(logger.run_id).info.status == "RUNNING"
        logger.log_figures({"trained/map@r": 0.5})
    client = mlflow.MlflowClient()
    run = client.get_run(logger.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "one")
    assert client.get_experiment(run.info.experiment_id).name == "banking"
    assert run.data.params["hidden_dims"] == "[16, 16]"
    assert run.data.metrics["final/trained/map_at_r"] == 0.5
    losses = client.get_metric_history(logger.run_id, "epoch/val_loss")
    assert [(m.step, m.value) for m in losses] == [
        (int(entry["epoch"]), entry["val_loss"]) for entry in trainer.history
    ]
    with pytest.raises(RuntimeError, match="the disk is full"):
        trained(labelled, logger, Breaks())
    assert client.get_run(logger.run_id).info.status == "FAILED"


def resumed(dataset: TripletDataset, folder: Path, make: Callable[[], Any]) -> tuple[Any, Any]:
    """The loggers of a run that broke off in its second epoch, and of its end."""
    train, val = dataset.create_dataloaders(batch_size=24, train_split=0.8)

    def part(breaks: float) -> Any:
        logger = make()
        model = DTGCNN(backend="numpy", **SETTINGS)
        trainer = Trainer(model, progress=False, state_dir=folder, save_every_n_steps=2)
        with suppress(RuntimeError):
            trainer.train(train, val, callbacks=[logger, Breaks(breaks)], resume=True)
        return logger

    return part(2.0), part(9.0)


def test_a_resumed_run_goes_on_in_its_own(labelled: TripletDataset, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    first, second = resumed(labelled, tmp_path / "s", MlflowLogger)
    assert first.run_id == second.run_id
    run = mlflow.MlflowClient().get_run(second.run_id)
    assert run.info.status == "FINISHED"


def test_a_resumed_run_of_trackio_goes_on_in_its_own(
    labelled: TripletDataset, tmp_path: Path, trackio_folder: Path
) -> None:
    pytest.importorskip("trackio")
    first, second = resumed(labelled, tmp_path / "s", lambda: TrackioLogger("resumed"))
    assert first.run.name == second.run.name
    with sqlite3.connect(trackio_folder / "resumed.db") as kept:
        lines = kept.execute("select run_name, step, metrics from metrics").fetchall()
    assert {name for name, _, _ in lines} == {first.run.name}
    told = [json.loads(metrics) for _, _, metrics in lines]
    epochs = [metrics["epoch"] for metrics in told if "epoch/loss" in metrics]
    assert epochs[0] == 1.0
    assert epochs[-1] == SETTINGS["num_epochs"]


def test_a_resumed_run_of_wandb_goes_on_in_its_own(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    pytest.importorskip("wandb")
    first, second = resumed(labelled, tmp_path / "s", lambda: WandbLogger(project="banking"))
    assert first.run.id == second.run.id
    # Without a network each part has a file of its own, which `wandb sync` puts together.
    files = sorted(Path("wandb").glob("offline-run-*/run-*.wandb"))
    assert {file.stem for file in files} == {f"run-{first.run.id}"}


def test_trackio_keeps_settings_steps_and_figures(
    labelled: TripletDataset, trackio_folder: Path
) -> None:
    pytest.importorskip("trackio")
    logger = TrackioLogger("banking", name="one")
    with held_open([logger]):
        trainer = trained(labelled, logger)
        logger.log_figures({"trained/map@r": 0.5})
    with sqlite3.connect(trackio_folder / "banking.db") as kept:
        lines = kept.execute("select step, metrics from metrics order by id").fetchall()
        (config,) = kept.execute("select config from configs").fetchone()
    found = [(step, json.loads(metrics)) for step, metrics in lines]
    assert json.loads(config)["hidden_dims"] == [16, 16]
    assert found[-1][1] == {"final/trained/map@r": 0.5}
    epochs = [metrics for _, metrics in found if "epoch/loss" in metrics]
    assert [metrics["epoch/val_loss"] for metrics in epochs] == pytest.approx(
        [entry["val_loss"] for entry in trainer.history]
    )


def test_several_at_once_from_the_command_line(text_file: Path, trackio_folder: Path) -> None:
    for library in ("tensorboard", "wandb", "mlflow", "trackio"):
        pytest.importorskip(library)
    log = [
        part for name in ("tensorboard", "wandb", "mlflow", "trackio") for part in ("--log", name)
    ]
    command = ["train", str(text_file), "--output", "m", "--epochs", "2", *SMALL, *log]
    done = subprocess.run(
        [sys.executable, "-m", "dtgcnn", *command], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    (offline,) = Path("wandb").glob("offline-run-*")
    (record,) = offline.glob("run-*.wandb")
    content = record.read_bytes()
    for part in (b"final/trained/map@r", b"epoch/val_loss", b"triplet_margin"):
        assert part in content
    assert Path("mlflow.db").stat().st_size > 10_000
    assert (trackio_folder / "dtgcnn.db").stat().st_size > 10_000
    assert Path("runs/m/projector_config.pbtxt").is_file()


@pytest.mark.parametrize("tracker", ["mlflow", "trackio", "wandb"])
def test_a_missing_library_is_named_before_any_work(
    tracker: str, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(ImportError, match=rf"pip install 'dtgcnn\[{tracker}\]'"):
        loggers_of([tracker], "one")
    done = CliRunner().invoke(main, ["train", str(text_file), "--output", "m", "--log", tracker])
    assert done.exit_code == 2
    assert f"pip install 'dtgcnn[{tracker}]'" in done.output
    assert not Path("m", "model.safetensors").exists()


def test_held_open_tells_of_failure_and_closes_each() -> None:
    class Own(MetricLogger):
        closed = 0

        def log_step(self, values: Any, step: int) -> None: ...

        def log_epoch(self, values: Any, epoch: int) -> None: ...

        def close(self) -> None:
            self.closed += 1
            if self is first:
                raise OSError("the server is gone")

    first, second = Own(), Own()
    with pytest.raises(OSError, match="the server is gone"), held_open([first, second]):
        raise DTGCNNError("no")
    assert (first.failed, second.failed, first.closed, second.closed) == (True, True, 1, 1)


def test_the_projector_has_one_line_a_row(labelled: TripletDataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="event files are written by tensorboard")
    logger = TensorboardLogger(tmp_path, "one")
    trained(labelled, logger)
    logger.log_vectors(np.eye(3, dtype=np.float32), {"text": ["a\tb", "c\nd", ""]})
    assert logger.path is not None
    assert (logger.path / "metadata.tsv").read_text().split("\n") == ["a b", "c d", " ", ""]
    assert np.loadtxt(logger.path / "vectors.tsv").tolist() == np.eye(3).tolist()
