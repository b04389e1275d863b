"""Write what an audit gives: tables, a gallery, a page for verdicts by eye, and audit.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import Split
from modiste.experiments import verdicts
from modiste.imaging.near_duplicates import Pairs
from modiste.metrics.label_quality import LabelQuality
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.reporting.audit_pages import pages
from modiste.reporting.audit_pages.pages import DuplicateCard, SuspectCard
from modiste.reporting.text_tables import to_csv
from modiste.runs import files, results

SUSPECTS, DUPLICATES, GALLERY, SUMMARY = "suspects.csv", "duplicates.csv", "index.html", "audit.json"

SUSPECT_COLUMNS = (
    "rank", "split", "image", "label", "label_probability", "suggested_label", "suggested_probability", "label_issue",
)  # fmt: skip
DUPLICATE_COLUMNS = (
    "split_1", "image_1", "label_1", "split_2", "image_2", "label_2", "similarity", "flipped", "shift_y", "shift_x",
    "same_label",
)  # fmt: skip

MAX_CARDS = 300
"""Suspects of each split, and pairs of duplicates, in the gallery; the tables have all."""


@dataclass(frozen=True, slots=True)
class AuditedSplit:
    """A split, and the probabilities [n, k] of its images by models that were not trained on them."""

    split: Split
    probabilities: NDArray[np.float32]
    quality: LabelQuality


def write(
    folder: Path,
    command: str,
    recipe: Recipe,
    class_names: tuple[str, ...],
    records: list[dict[str, Any]],
    audited: Sequence[AuditedSplit],
    pairs: Pairs,
    accuracies: list[dict[str, Any]],
) -> dict[str, Any]:
    """Write all files; return the content of audit.json, which is written last."""
    suspects = [row for each in audited for row in _suspect_rows(each, class_names)]
    duplicates = _duplicate_rows(audited, pairs, class_names)
    files.write_text(folder / SUSPECTS, to_csv(SUSPECT_COLUMNS, suspects))
    files.write_text(folder / DUPLICATES, to_csv(DUPLICATE_COLUMNS, duplicates))
    summary = {
        "splits": [_describe(each) for each in audited],
        "duplicates": _count_duplicates(duplicates),
        "accuracies": accuracies,
    }
    cards = {each.split.name: _suspect_cards(each, class_names) for each in audited}
    pages.write_gallery(folder / GALLERY, summary, cards, _duplicate_cards(audited, pairs, duplicates))
    sampled = audited[-1]  # test, where there is one
    verdicts.write_sample(folder, sampled.split, sampled.quality, class_names, recipe.seed)
    results.write(
        folder / SUMMARY,
        recipe=recipe.name,
        command=command,
        runs=records,
        settings=settings.to_settings(recipe),
        split="validation",  # of the trainings
        **summary,
    )
    return results.read(folder / SUMMARY)


def _describe(each: AuditedSplit) -> dict[str, Any]:
    suspects, issues = len(each.quality.suspects), int(each.quality.is_issue.sum())
    return {"split": each.split.name, "images": len(each.split), "suspects": suspects, "label_issues": issues}


def _suspect_rows(each: AuditedSplit, class_names: tuple[str, ...]) -> list[list[Any]]:
    quality, names = each.quality, each.split.image_names
    return [
        [
            rank,
            each.split.name,
            names[index],
            class_names[quality.labels[index]],
            f"{quality.label_probabilities[index]:.4f}",
            class_names[quality.suggested[index]],
            f"{quality.suggested_probabilities[index]:.4f}",
            int(quality.is_issue[index]),
        ]
        for rank, index in enumerate(quality.suspects, start=1)
    ]


def _suspect_cards(each: AuditedSplit, class_names: tuple[str, ...]) -> list[SuspectCard]:
    quality, split = each.quality, each.split
    return [
        SuspectCard(
            pages.image_url(split.images[index]),
            split.image_names[index],
            class_names[quality.labels[index]],
            float(quality.label_probabilities[index]),
            class_names[quality.suggested[index]],
            float(quality.suggested_probabilities[index]),
        )
        for index in quality.suspects[:MAX_CARDS]
    ]


def _duplicate_rows(audited: Sequence[AuditedSplit], pairs: Pairs, class_names: tuple[str, ...]) -> list[list[Any]]:
    splits = [each.split.name for each in audited for _ in range(len(each.split))]
    names = [name for each in audited for name in each.split.image_names]
    labels = np.concatenate([each.quality.labels for each in audited])
    columns = (pairs.first, pairs.second, pairs.similarity, pairs.flipped, pairs.shift[:, 0], pairs.shift[:, 1])
    rows = []
    for first, second, similarity, flipped, down, across in zip(*(each.tolist() for each in columns), strict=True):
        images = [
            part for index in (first, second) for part in (splits[index], names[index], class_names[labels[index]])
        ]
        same = int(labels[first] == labels[second])
        rows.append([*images, f"{similarity:.4f}", int(flipped), down, across, same])
    return rows


def _duplicate_cards(audited: Sequence[AuditedSplit], pairs: Pairs, rows: list[list[Any]]) -> list[DuplicateCard]:
    """Return pairs with different labels and pairs across splits first, the most similar first."""
    ends = np.cumsum([0, *(len(each.split) for each in audited)])

    def url(position: int) -> str:
        index = int(np.searchsorted(ends, position, "right")) - 1
        return pages.image_url(audited[index].split.images[position - ends[index]])

    order = sorted(range(len(rows)), key=lambda row: (rows[row][-1], rows[row][0] == rows[row][3]))
    return [
        DuplicateCard((url(int(pairs.first[row])), url(int(pairs.second[row]))), *_describe_pair(rows[row]))
        for row in order[:MAX_CARDS]
    ]


def _describe_pair(row: list[Any]) -> tuple[tuple[str, str], tuple[str, str], float, bool]:
    """Return the names, labels, similarity and whether the first is mirrored, from a row of the table."""
    _, first, first_label, _, second, second_label, similarity, flipped, *_ = row
    return (first, second), (first_label, second_label), float(similarity), bool(flipped)


def _count_duplicates(rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Count pairs by their two splits, and those with different labels."""
    kinds = dict.fromkeys((row[0], row[3]) for row in rows)
    return [
        {
            "splits": list(kind),
            "pairs": sum((row[0], row[3]) == kind for row in rows),
            "different_labels": sum((row[0], row[3]) == kind and not row[-1] for row in rows),
        }
        for kind in sorted(kinds)
    ]
