"""TensorBoard events, to watch several trainings at once; the only home of tensorboard."""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modiste.runs import files
from modiste.runs.metrics_file import EpochMetrics


def append(folder: Path, metrics: EpochMetrics) -> None:
    """Add the metrics of an epoch to the events in a folder, with the names in metrics.csv; raises OutputError."""
    try:
        files.make_own_folder(folder)
        with import_summary_writer()(str(folder)) as writer:
            for name, value in asdict(metrics).items():
                if name != "epoch" and value is not None:
                    writer.add_scalar(name, value, metrics.epoch)
    except OSError as error:
        raise files.write_error(folder, error) from error


def import_summary_writer() -> Any:
    """Return tensorboard's SummaryWriter; raises ModuleNotFoundError when it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what tensorboard imports
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter
