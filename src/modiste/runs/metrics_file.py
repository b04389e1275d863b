"""metrics.csv: a row an epoch, numbers written so that they read back to the same bits."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from modiste.errors import InputError
from modiste.recipes.recipe import EarlyStoppingConfig
from modiste.runs import files

COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "lr",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """What one epoch gave; the validation figures are None when nothing is held out.

    Args:
        epoch: from 1.
        train_loss: mean of the minimized loss over the epoch's images, augmented and with dropout.
        train_accuracy: fraction of these that were right.
        val_loss: mean cross-entropy, without smoothing.
        val_accuracy: fraction right.
        lr: learning rate of the last step.
        seconds: wall clock, judging included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float


def write(path: Path, rows: list[EpochMetrics]) -> None:
    """Write all rows as a whole; raises OutputError when the disk refuses."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow("" if value is None else value for value in asdict(row).values())
    files.write_text(path, text.getvalue())


def seconds(rows: Iterable[EpochMetrics]) -> float:
    """What a training took, by its epochs."""
    return sum(row.seconds for row in rows)


def read(path: Path) -> list[EpochMetrics]:
    """Read the rows back.

    Raises:
        InputError: the file is missing or is no metrics.csv.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = list(csv.reader(file, strict=True))
        return [_row([dict(zip(header, line, strict=True))[column] for column in COLUMNS]) for line in lines]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path} is no metrics.csv ({error}). Give a run that `modiste train` made.") from None


def best_epoch(history: list[EpochMetrics], early_stopping: EarlyStoppingConfig) -> int:
    """Return the epoch (from 1) whose weights count: the last one without early stopping, else the best monitored."""
    if not early_stopping.patience or not history:
        return len(history)
    if early_stopping.monitor == "val_accuracy":
        values = [-(row.val_accuracy or 0.0) for row in history]
    else:
        values = [row.val_loss if row.val_loss is not None else float("inf") for row in history]
    return values.index(min(values)) + 1


def _row(line: list[str]) -> EpochMetrics:
    epoch, loss, accuracy, val_loss, val_accuracy, rate, seconds = line
    return EpochMetrics(
        int(epoch),
        _number(loss),
        _number(accuracy),
        _number(val_loss) if val_loss else None,
        _number(val_accuracy) if val_accuracy else None,
        _number(rate),
        _number(seconds),
    )


def _number(text: str) -> float:
    """Read a number; raises ValueError for what is infinite or none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number
