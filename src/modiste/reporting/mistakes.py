"""The mistakes of a model on a split: as a table, and as a page of images in which labels can be corrected."""

import csv
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.csv_cells import unescape_formula
from modiste.data.annotations import CORRECTIONS_FILE
from modiste.data.split import Split
from modiste.imaging import thumbnails
from modiste.metrics.scores import Scores
from modiste.reporting import text_tables
from modiste.reporting.formatting import format_percent
from modiste.reporting.report import texts
from modiste.reporting.report.html_format import ENVIRONMENT
from modiste.runs import parsing

MAX_SHOWN = 2000
"""Images in the page; the table has all mistakes."""

SIDE = 160
"""Pixels a side of a photo in the page."""

COLUMNS = ("file", "true_label", "predicted_label", "probability")

IMAGE_URL = re.compile(r'<img src="(data:[^"]+)"')


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image whose predicted class is wrong.

    Args:
        index: of the image in its split.
        file: its path relative to the data, or `test#7` for the eighth image of test.
        true_label: its class, or its candidate classes joined by "or".
        predicted_label: the class with the highest probability.
        probability: of the predicted class.
    """

    index: int
    file: str
    true_label: str
    predicted_label: str
    probability: float


def find_mistakes(split: Split, probabilities: np.ndarray, class_names: list[str]) -> list[Mistake]:
    """Return the mistakes of probabilities, [n, k], the most confident first; ties in the order of the images."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    errors = np.flatnonzero(~split.is_correct(predicted))
    order = errors[np.argsort(-confidence[errors], kind="stable")].tolist()
    return [
        Mistake(
            index,
            split.names[index] if split.names else f"{split.name}#{index}",
            true_names(split, index, class_names),
            class_names[predicted[index]],
            float(confidence[index]),
        )
        for index in order
    ]


def true_names(split: Split, index: int, class_names: list[str]) -> str:
    """Name the class of an image, or its candidate labels."""
    candidates = split.labels[[index]] if split.candidate_labels is None else split.candidate_labels[index].nonzero()[0]
    return " or ".join(class_names[label] for label in candidates)


def to_csv(mistakes: list[Mistake]) -> str:
    """Write the columns file, true_label, predicted_label and probability, a row for each mistake, without formulas."""
    rows = [(each.file, each.true_label, each.predicted_label, f"{each.probability:.4f}") for each in mistakes]
    return text_tables.to_csv(COLUMNS, rows)


def read_shown(page: Path, table: Path, count: int) -> list[tuple[Mistake, NDArray[np.uint8]]]:
    """Read the first mistakes of a run and their images, as far as the page has them.

    Args:
        page: as `to_html` writes it; its images are in the order of the table.
        table: as `to_csv` writes it.
        count: the most that are read.

    Raises:
        InputError: one of the files is damaged.
    """
    with parsing.as_input_error(f"{page} or {table.name} beside it is damaged. Repeat `modiste evaluate`."):
        rows = itertools.islice(csv.DictReader(table.read_text(encoding="utf-8").splitlines()), count)
        urls = IMAGE_URL.findall(page.read_text(encoding="utf-8"))
        shown = []
        for index, (row, url) in enumerate(zip(rows, urls, strict=False)):
            file, label, predicted = (unescape_formula(row[column]) for column in COLUMNS[:3])
            mistake = Mistake(index, file, label, predicted, float(row["probability"]))
            shown.append((mistake, thumbnails.read_url(url)))
        return shown


def to_html(name: str, mistakes: list[Mistake], split: Split, scores: Scores) -> str:
    """Write a page of the mistakes, without external resources: filtered by classes, most confident first.

    Args:
        name: of the run.
        mistakes: as `find_mistakes` returns them.
        split: that they are of.
        scores: on the split.
    """
    shown = mistakes[:MAX_SHOWN]
    return ENVIRONMENT.get_template("mistakes.html").render(
        style=texts.read_text("style.css"),
        name=name,
        scores=scores,
        accuracy=format_percent(scores.accuracy),
        count=len(mistakes),
        class_names=[each.name for each in scores.per_class],
        corrections=CORRECTIONS_FILE,
        true_labels=Counter(mistake.true_label for mistake in shown).most_common(),
        pairs=Counter((mistake.true_label, mistake.predicted_label) for mistake in shown).most_common(),
        mistakes=[(mistake, thumbnails.thumbnail_url(split.images[mistake.index], SIDE)) for mistake in shown],
    )
