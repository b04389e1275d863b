"""The one currency of the package: uint8 images and their labels."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
"""[n, s, s] gray or [n, s, s, 3] RGB."""

Labels = NDArray[np.int64]
"""[n], each an index into the label names."""

CandidateLabels = NDArray[np.bool_]
"""[n, labels], for images of which only so much is known: each is one of the labels of its row."""

Groups = NDArray[np.int64]
"""[n]; images with the same number belong together: one sender, one product."""


@dataclass(frozen=True, slots=True)
class Split:
    """Images and labels that are used for one purpose.

    Args:
        name: train, validation or test.
        images: uint8, [n, s, s] or [n, s, s, 3].
        labels: int64, [n]; the first of those candidate_labels where an image has several.
        candidate_labels: None where every image has one label, the usual case.
        groups: int64, [n]; None where nothing says which images belong together.
    """

    name: str
    images: Images
    labels: Labels
    candidate_labels: CandidateLabels | None = None
    groups: Groups | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def is_correct(self, said: Labels) -> NDArray[np.bool_]:
        """Whether each image may be called what was said of it."""
        return (
            said == self.labels if self.candidate_labels is None else self.candidate_labels[np.arange(len(said)), said]
        )

    def likelihood(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How probable each image's label was held, [n], by [n, labels]; of several candidate_labels ones, all label_groups."""
        exact = probabilities.astype(np.float64)
        return (
            exact[np.arange(len(self)), self.labels]
            if self.candidate_labels is None
            else (exact * self.candidate_labels).sum(1)
        )

    def sha256(self) -> str:
        """Fingerprint of the images and labels in their order."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        for values in (self.labels, self.candidate_labels):
            if values is not None:
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All that a training may see; the test split is not among it.

    Args:
        class_names: what the label numbers mean.
        train: the images to learn from.
        validation: the images held out of them; empty when nothing is held out.
    """

    class_names: tuple[str, ...]
    train: Split
    validation: Split
