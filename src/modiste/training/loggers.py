"""Loggers of the metrics of a training, beside metrics.csv: TensorBoard and MLflow.

A run has a file or folder for each of its loggers, so that a training that is resumed goes on with them.
"""

from collections.abc import Collection
from typing import Literal

from modiste.runs import files
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics
from modiste.training import mlflow, tensorboard

LoggerName = Literal["tensorboard", "mlflow"]


def require(names: Collection[LoggerName]) -> None:
    """Import the packages of loggers; raises ModuleNotFoundError for one that is not installed."""
    if "tensorboard" in names:
        tensorboard.import_summary_writer()
    if "mlflow" in names:
        mlflow.import_client()


def start(run: Run, names: Collection[LoggerName]) -> None:
    """Let a run have these loggers; raises OutputError when one cannot be written."""
    if "tensorboard" in names:
        files.make_folder(run.events)
    if "mlflow" in names:
        mlflow.start(run)


def names_of(run: Run) -> tuple[LoggerName, ...]:
    """Return the loggers of a run."""
    exist: dict[LoggerName, bool] = {"tensorboard": run.events.exists(), "mlflow": run.mlflow.exists()}
    return tuple(name for name in exist if exist[name])


def append(run: Run, metrics: EpochMetrics) -> None:
    """Pass the metrics of an epoch to the loggers of a run; raises OutputError when one cannot be written."""
    if run.events.exists():
        tensorboard.append(run.events, metrics)
    if run.mlflow.exists():
        mlflow.append(run, metrics)


def finish(run: Run) -> None:
    """Tell the loggers of a run that it is finished; raises OutputError when one cannot be written."""
    if run.mlflow.exists():
        mlflow.finish(run)
