"""metrics.csv: a row an epoch, numbers written so that they read back to the same bits."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from modiste.errors import InputError
from modiste.recipes.recipe import Stopping
from modiste.runs import files

COLUMNS = (
    "epoch",
    "train/loss",
    "train/accuracy",
    "validation/loss",
    "validation/accuracy",
    "lr",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one epoch gave; the validation figures are None when nothing is held out.

    Args:
        epoch: from 1.
        train_loss: mean of the minimised loss over the epoch's images, augmented and with dropout.
        train_accuracy: fraction of these that were right.
        validation_loss: mean cross-entropy, without smoothing.
        validation_accuracy: fraction right.
        lr: learning rate of the last step.
        seconds: wall clock, judging included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float


def write(path: Path, rows: list[Row]) -> None:
    """Write all rows as a whole; raises TrainingError when the disk refuses."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow("" if value is None else value for value in asdict(row).values())
    files.write_text(path, text.getvalue())


def seconds(rows: Iterable[Row]) -> float:
    """What a training took, by its epochs."""
    return sum(row.seconds for row in rows)


def read(path: Path) -> list[Row]:
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


def best_epoch(history: list[Row], stopping: Stopping) -> int:
    """Return the epoch (from 1) whose weights count: the last one without early stopping, else the best monitored."""
    if not stopping.patience or not history:
        return len(history)
    if stopping.monitor == "validation/accuracy":
        values = [-(row.validation_accuracy or 0.0) for row in history]
    else:
        values = [row.validation_loss if row.validation_loss is not None else float("inf") for row in history]
    return values.index(min(values)) + 1


def _row(line: list[str]) -> Row:
    epoch, loss, accuracy, validation_loss, validation_accuracy, rate, seconds = line
    return Row(
        int(epoch),
        _number(loss),
        _number(accuracy),
        _number(validation_loss) if validation_loss else None,
        _number(validation_accuracy) if validation_accuracy else None,
        _number(rate),
        _number(seconds),
    )


def _number(text: str) -> float:
    """Read a number; raises ValueError for what is infinite or none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number
