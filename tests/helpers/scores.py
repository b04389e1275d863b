"""Splits and scores of labels without images."""

from collections.abc import Sequence

import numpy as np

from modiste.data.split import Split
from modiste.metrics import scores


def split_of(
    labels: Sequence[int] | np.ndarray,
    candidate_labels: np.ndarray | None = None,
    name: str = "test",
    groups: np.ndarray | None = None,
) -> Split:
    """A split of which only the labels and groups matter."""
    return Split(name, np.empty((len(labels), 0, 0), np.uint8), np.asarray(labels), candidate_labels, groups)


def compute_scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
    split_name: str = "test",
    candidate_labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> scores.Scores:
    """Score probabilities of such a split."""
    return scores.compute_scores(probabilities, split_of(labels, candidate_labels, split_name, groups), class_names)
