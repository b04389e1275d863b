"""Scores of labels without images."""

import numpy as np

from modiste.data.split import Split
from modiste.metrics import scores


def compute_scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
    split_name: str = "test",
    candidate_labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> scores.Scores:
    """Score probabilities of a split of which only the labels and groups matter."""
    images = np.empty((len(labels), 0, 0), np.uint8)
    return scores.compute_scores(
        probabilities, Split(split_name, images, labels, candidate_labels, groups), class_names
    )
