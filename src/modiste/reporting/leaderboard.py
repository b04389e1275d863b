"""The public table of Fashion-MNIST, and our rows in it.

The table is the one in the README of github.com/zalandoresearch/fashion-mnist, which calls its results untested. To it
two columns were added: `data_version` (v1: the files before 31 August 2017, whose test split shares images with train;
v2: today's) where it is known, and a note.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

from modiste.reporting import formatting
from modiste.reporting.results_table import MethodResult


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """A row of the table.

    Args:
        classifier: what it is.
        preparation: what is done to the images.
        parameters: as its submitter wrote it; may be empty.
        accuracy: on the test split, a fraction.
        submitter: who says so; empty for ours.
        data_version: v1, v2, or empty where it is not known.
        note: a remark; empty for ours.
        ours: the entry that it is made from, for our rows.
    """

    classifier: str
    preparation: str
    parameters: str
    accuracy: float
    submitter: str
    data_version: str
    note: str
    ours: MethodResult | None = None


class Point(NamedTuple):
    """A classifier among others; what is not known of it is None."""

    accuracy: float
    parameters: float | None = None
    minutes: float | None = None


def published() -> list[LeaderboardRow]:
    """The public table in its own order."""
    file = resources.files("modiste") / "assets" / "published" / "fashion-mnist-benchmark.csv"
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return [
        LeaderboardRow(
            row["classifier"],
            row["preprocessing"],
            row["parameters"],
            float(row["fashion_accuracy"]),
            row["submitter"],
            row["data_version"],
            row["note"],
        )
        for row in rows
    ]


def anchors() -> dict[str, Point]:
    """Published results, by what they are, whose parameters or minutes are given as a number, in the table and beyond.

    Those on the first version of the data are left out, as its test split shares images with train.
    """
    file = resources.files("modiste") / "assets" / "published" / "anchors.csv"
    beyond = {
        " on a ".join(filter(None, (row["classifier"], row["device"]))): Point(
            float(row["accuracy"]), quantity(row["parameters"]), quantity(row["minutes"])
        )
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    }
    table = {
        row.classifier: Point(row.accuracy, quantity(row.parameters)) for row in published() if row.data_version != "v1"
    }
    return {name: point for name, point in (table | beyond).items() if point.parameters or point.minutes}


def quantity(text: str) -> float | None:
    """`8.9M`, `113K`, `1602` -> the number; None where there is none, as in `<100K`."""
    known = re.fullmatch(r"([\d.]+)([KM]?)", text)
    return float(known[1]) * {"": 1, "K": 1e3, "M": 1e6}[known[2]] if known else None


def with_ours(entries: Sequence[MethodResult]) -> list[LeaderboardRow]:
    """The public table with a row for each entry that was judged on the official test split, best first."""
    ours = [_row(entry, entry.accuracy) for entry in entries if entry.on_fashion_mnist and entry.accuracy is not None]
    return sorted([*published(), *ours], key=lambda row: -row.accuracy)


def augmentation(entry: MethodResult) -> str:
    """What is done to the training images, in the table's words."""
    on = entry.recipe.augmentation
    tricks = {
        "random horizontal flips": on.horizontal_flip,
        "random crops": on.random_crop_padding,
        "random erasing": on.random_erasing_prob,
        "mixup": on.mixup_prob,
    }
    return ", ".join(name for name, used in tricks.items() if used) or "None"


def _row(entry: MethodResult, accuracy: float) -> LeaderboardRow:
    parameters = formatting.count(entry.parameters) if entry.parameters else ""
    return LeaderboardRow(entry.name, augmentation(entry), parameters, accuracy, "", "v2", "", entry)
