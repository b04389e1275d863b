"""TensorBoard events, for those who progress several trainings at once; the only door to tensorboard."""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modiste.runs import files
from modiste.runs.metrics_file import COLUMNS, EpochMetrics


def require() -> None:
    """Raise ModuleNotFoundError when tensorboard is not installed, before a run is begun."""
    _writer()


def append(folder: Path, row: EpochMetrics) -> None:
    """Add an epoch's figures to the events in that folder, by the names of the columns of metrics.csv.

    Raises:
        OutputError: the disk refuses them.
    """
    try:
        with _writer()(str(folder)) as writer:
            for column, value in zip(COLUMNS, asdict(row).values(), strict=True):
                if column != "epoch" and value is not None:
                    writer.add_scalar(column, value, row.epoch)
    except OSError as error:
        raise files.write_error(folder, error) from error


def _writer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what tensorboard imports
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter
