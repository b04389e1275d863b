"""metrics.csv: a row for each epoch; floats are read back exactly."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from modiste.errors import InputError
from modiste.recipes.config import EarlyStoppingConfig
from modiste.runs import files


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """Metrics of one epoch; the validation metrics are None when nothing is held out.

    Args:
        epoch: from 1.
        train_loss: mean of the training loss, on augmented images and with dropout.
        train_accuracy: fraction of these images that were classified correctly.
        val_loss: mean cross-entropy, without label smoothing.
        val_accuracy: fraction classified correctly.
        lr: learning rate of the last step.
        seconds: wall-clock time, with validation.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float


COLUMNS = tuple(column.name for column in fields(EpochMetrics))


def write(path: Path, rows: list[EpochMetrics]) -> None:
    """Write all rows atomically; raises OutputError when the file cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow("" if value is None else value for value in asdict(row).values())
    files.write_text(path, text.getvalue())


def total_seconds(rows: Iterable[EpochMetrics]) -> float:
    """Return the seconds of a training, the sum over its epochs."""
    return sum(row.seconds for row in rows)


def read(path: Path) -> list[EpochMetrics]:
    """Read the rows; raises InputError when the file is missing or is not a metrics.csv."""
    try:
        header, *lines = list(csv.reader(files.read_text(path).splitlines(), strict=True))
        return [_parse_row(dict(zip(header, line, strict=True))) for line in lines]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path} is not a metrics.csv ({error}). Give a run that `modiste train` made.") from None


def losses(rows: Sequence[EpochMetrics]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the train losses and the validation losses of all epochs; the latter are empty if nothing was held out."""
    val_losses = [row.val_loss for row in rows if row.val_loss is not None]
    return tuple(row.train_loss for row in rows), tuple(val_losses if len(val_losses) == len(rows) else ())


def best_epoch(history: Sequence[EpochMetrics], early_stopping: EarlyStoppingConfig) -> int:
    """Return the epoch (from 1) whose weights are kept: the last, or with early stopping the best by its metric."""
    if not early_stopping.patience or not history:
        return len(history)
    if early_stopping.monitor == "val_accuracy":
        values = [-(row.val_accuracy or 0.0) for row in history]
    else:
        values = [row.val_loss if row.val_loss is not None else float("inf") for row in history]
    return values.index(min(values)) + 1


def _parse_row(texts: dict[str, str]) -> EpochMetrics:
    values: dict[str, Any] = {}
    for column in COLUMNS:
        is_missing = column.startswith("val_") and texts[column] == ""
        values[column] = None if is_missing else float(texts[column])
        if not is_missing and not math.isfinite(values[column]):
            raise ValueError(f"{column} is {texts[column]}")
    return EpochMetrics(**values | {"epoch": int(texts["epoch"])})
