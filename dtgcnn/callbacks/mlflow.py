"""Logging to MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typing_extensions import override

from ..errors import needing
from .base import TrainerView
from .logger import MetricLogger

__all__ = ["MlflowLogger"]


class MlflowLogger(MetricLogger):
    """Write the metrics of steps and epochs, and the settings as parameters, to a run of MLflow.

    The names are those of ``MetricLogger``, with ``_at_`` for ``@``, which MLflow does not take. A
    resumed run goes on in its own.

    Args:
        experiment: the name of the experiment, which is made where it is missing.
        name: the run's name; MLflow makes one up where not given.
        tracking_uri: where runs are kept; as ``MLFLOW_TRACKING_URI`` or MLflow has it where not
            given.

    Raises:
        ImportError: mlflow is not installed.
    """

    def __init__(
        self,
        experiment: str = "dtgcnn",
        name: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        with needing("MlflowLogger needs mlflow", "mlflow"):
            self._mlflow: Any = import_module("mlflow")
        self.experiment, self.name, self.tracking_uri = experiment, name, tracking_uri
        self.run_id: str | None = None
        """The run, while it goes on and after."""
        self._client: Any = None
        self._open = False

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.failed = False
        self._client = self._mlflow.MlflowClient(self.tracking_uri)
        if not trainer.resumed:
            self._begin(trainer)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"run_id": self.run_id}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.run_id = state["run_id"]
        self._client.update_run(self.run_id, status="RUNNING")
        self._open = True

    def _begin(self, trainer: TrainerView) -> None:
        found = self._client.get_experiment_by_name(self.experiment)
        where = self._client.create_experiment(self.experiment) if found is None else None
        run = self._client.create_run(where or found.experiment_id, run_name=self.name)
        self.run_id, self._open = run.info.run_id, True
        param = self._mlflow.entities.Param
        settings = trainer.config.to_dict().items()
        self._client.log_batch(self.run_id, params=[param(k, str(v)) for k, v in settings])

    @override
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values at ``step``."""
        now, metric = (
            self._mlflow.utils.time.get_current_time_millis(),
            self._mlflow.entities.Metric,
        )
        made = [metric(n.replace("@", "_at_"), float(v), now, step) for n, v in values.items()]
        self._client.log_batch(self.run_id, metrics=made)

    @override
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values at ``epoch``."""
        self.log_step(values, epoch)

    @override
    def log_figures(self, figures: Mapping[str, float]) -> None:
        self.log_step({f"final/{name}": value for name, value in figures.items()}, 0)

    @override
    def close(self) -> None:
        if self._open:
            self._open = False
            self._client.set_terminated(self.run_id, "FAILED" if self.failed else "FINISHED")
