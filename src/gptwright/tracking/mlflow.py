"""MLflow: a small database below the stage's folder, unless MLFLOW_TRACKING_URI names a server."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from gptwright.foundations.metrics import Listener


class MLflow:
    """One MLflow run a command."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, object]) -> None:
        mlflow: Any = import_module("mlflow")
        folder.mkdir(parents=True, exist_ok=True)
        self._client = mlflow.MlflowClient(
            os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder.absolute()}/mlflow.db")
        )
        known = self._client.get_experiment_by_name("gptwright")
        experiment = known.experiment_id if known else self._client.create_experiment("gptwright")
        self._run: str = self._client.create_run(experiment, run_name=name).info.run_id
        for key, value in config.items():
            self._client.log_param(self._run, key, value)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._run)


def open_tracker(folder: Path, name: str, config: Mapping[str, object]) -> Listener:
    """Needs the package mlflow."""
    return MLflow(folder, name, config)
