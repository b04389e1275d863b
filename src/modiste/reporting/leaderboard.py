"""The public leaderboard of Fashion-MNIST, and measured results as rows of it.

The leaderboard is the table in the README of github.com/zalandoresearch/fashion-mnist. Two columns were added:
`data_version` (v1: the files before 31 August 2017, whose test split shares images with the training split; v2: the
current files), and a note.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from modiste.metrics import intervals
from modiste.reporting import formatting
from modiste.reporting.results_table import MethodResult

TEST_IMAGES = 10_000
HUMAN_PERFORMANCE, HUMAN_IMAGES = "Human performance", 1000
"""The only row that was measured on fewer images."""

Mark = Literal["higher", "not distinguishable", "lower"]
"""Where a published accuracy is, compared with a measured one."""


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """A row of the leaderboard.

    Args:
        classifier: name of the method.
        preprocessing: of the training images, augmentation included.
        parameters: as the submitter wrote it; may be empty.
        accuracy: on the test split, a fraction.
        submitter: empty for measured results, as is the note.
        data_version: v1, v2, or empty if it cannot be determined.
        result: the measured result that this row shows; None for rows of the public leaderboard.
    """

    classifier: str
    preprocessing: str
    parameters: str
    accuracy: float
    submitter: str
    data_version: str
    note: str
    result: MethodResult | None = None


def public_table() -> list[LeaderboardRow]:
    """Return the rows of the public leaderboard in their original order."""
    file = resources.files("modiste") / "assets" / "published" / "fashion-mnist-benchmark.csv"
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return [
        LeaderboardRow(
            row["classifier"], row["preprocessing"], row["parameters"], float(row["fashion_accuracy"]),
            row["submitter"], row["data_version"], row["note"],
        )
        for row in rows
    ]  # fmt: skip


def add_results(results: Sequence[MethodResult]) -> list[LeaderboardRow]:
    """Return the public leaderboard with a row for each result on the official test split, most accurate first."""
    rows = [
        LeaderboardRow(
            result.name, _describe_augmentation(result),
            formatting.abbreviate_number(result.parameters) if result.parameters else "",
            result.accuracy, "", "v2", "", result,
        )
        for result in results
        if result.on_fashion_mnist and result.accuracy is not None
    ]  # fmt: skip
    return sorted([*public_table(), *rows], key=lambda row: -row.accuracy)


def select_near(rows: Sequence[LeaderboardRow], results: Sequence[MethodResult]) -> list[LeaderboardRow]:
    """Return the measured rows, those not distinguishable from one of them, and the next higher and lower ones."""
    places = {place for place, row in enumerate(rows) if row.result}
    near = {place + step for place in places for step in (-1, 0, 1)}
    return [
        row
        for place, row in enumerate(rows)
        if place in near or any(mark(row, result) == "not distinguishable" for result in results)
    ]


def mark(row: LeaderboardRow, result: MethodResult) -> Mark | None:
    """Compare a row of the public leaderboard with a measured result; None for a row that is a result itself.

    The variance of the difference has four parts: the sampling of the test images for either, the seeds of the result,
    and for the row, which is taken as one training, as much variance as one of the result's seeds. The same test images
    make both errors alike, which is left out, so that fewer rows are marked than could be. With one seed, the variance
    over seeds is not known, and the mark is by images alone.
    """
    if row.result or not result.accuracies:
        return None
    images = HUMAN_IMAGES if row.classifier == HUMAN_PERFORMANCE else TEST_IMAGES
    low, high = intervals.interval_to_published(result.accuracies, result.images, row.accuracy, images)
    return "higher" if low > 0 else "lower" if high < 0 else "not distinguishable"


def _describe_augmentation(result: MethodResult) -> str:
    """Return the augmentation of a method in the terms of the leaderboard."""
    augmentation = result.recipe.augmentation
    values = {
        "random horizontal flips": augmentation.horizontal_flip,
        "random crops": augmentation.random_crop_padding,
        "random erasing": augmentation.random_erasing_prob,
        "mixup": augmentation.mixup_prob,
    }
    return ", ".join(name for name, value in values.items() if value) or "None"
