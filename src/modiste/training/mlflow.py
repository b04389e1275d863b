"""MLflow: the settings and metrics of trainings in one local database, without a server; the only home of mlflow.

It is in the current folder, where `mlflow ui` looks for it. The metrics are a copy of metrics.csv.
"""

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modiste.errors import OutputError
from modiste.recipes import settings
from modiste.runs import files, parsing
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics

DATABASE = "mlflow.db"

EXPERIMENT = "modiste"


def start(run: Run) -> None:
    """Add a run with its settings to the database; raises OutputError if it cannot be written."""
    database = Path(DATABASE).absolute()
    with _client(database) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        run_id = client.create_run(experiment_id, run_name=run.name).info.run_id
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in settings.to_settings(run.recipe()).items()]
        client.log_batch(run_id, params=params)
    files.write_json(run.mlflow, {"database": str(database), "run_id": run_id})


def append(run: Run, metrics: EpochMetrics) -> None:
    """Add the metrics of an epoch, with the names in metrics.csv; raises OutputError if they cannot be written."""
    with _opened(run) as (client, run_id):
        from mlflow.entities import Metric

        values = {name: value for name, value in asdict(metrics).items() if name != "epoch" and value is not None}
        timestamp = int(time.time() * 1000)
        client.log_batch(run_id, [Metric(name, value, timestamp, metrics.epoch) for name, value in values.items()])


def finish(run: Run) -> None:
    """Mark a run as finished; raises OutputError if it cannot be written."""
    with _opened(run) as (client, run_id):
        client.set_terminated(run_id)


def import_client() -> Any:
    """Return MLflow's client class; raises ModuleNotFoundError when it is not installed."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves this machine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what mlflow imports
        import alembic  # noqa: F401 - imported late by mlflow-skinny, which does not require it
        import sqlalchemy  # noqa: F401
        from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient


@contextmanager
def _opened(run: Run) -> Iterator[tuple[Any, str]]:
    content = files.read_json(run.mlflow)
    with parsing.as_input_error(f"{run.mlflow} is damaged. Remove it to resume without MLflow."):
        database, run_id = Path(content["database"]), str(content["run_id"])
    with _client(database) as client:
        yield client, run_id


@contextmanager
def _client(database: Path) -> Iterator[Any]:
    """Open the database, which is made where there is none; raise an OutputError if the block fails to write to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SQLAlchemy, about how mlflow uses it
        try:
            yield import_client()(f"sqlite:///{database}")
        except ModuleNotFoundError:
            raise
        except Exception as error:  # MLflow, SQLAlchemy and SQLite have exceptions of their own
            reason = str(error).strip().partition("\n")[0]
            raise OutputError(f"{database} cannot be written ({reason}). Free it, or train without MLflow.") from error
