"""The types that all packages exchange: uint8 images with their labels, as NumPy arrays."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
"""[n, s, s] gray or [n, s, s, 3] RGB."""

Labels = NDArray[np.int64]
"""[n], each an index into the class names."""

CandidateLabels = NDArray[np.bool_]
"""[n, classes]; True for each class that the image may belong to, at least one a row."""

Groups = NDArray[np.int64]
"""[n]; images with the same number belong together: one sender, one product."""

Folders = NDArray[np.int64]
"""[n]; images with the same number come from the same folder, or in the same way."""

Indices = NDArray[np.int64]
"""[k], positions of images in a split."""


@dataclass(frozen=True, slots=True)
class Split:
    """The images and labels of one split.

    Args:
        name: train, validation or test.
        images: uint8, [n, s, s] or [n, s, s, 3].
        labels: int64, [n]; the first of the candidate labels where an image has several.
        candidate_labels: bool, [n, classes]; None where every image has exactly one label, the usual case.
        groups: int64, [n]; None where the data has no groups.
        folders: int64, [n], the class folder of each image; None for data without folders.
        names: n, the path of each image's file relative to the data, or `train#7` for the eighth image of train; None
            for images that were not read.
        n_corrected: number of labels that corrections.csv changed.
    """

    name: str
    images: Images
    labels: Labels
    candidate_labels: CandidateLabels | None = None
    groups: Groups | None = None
    folders: Folders | None = None
    names: tuple[str, ...] | None = None
    n_corrected: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_names(self) -> tuple[str, ...]:
        """The file of each image, or split and position for data that is not one file per image."""
        return self.names or index_names(self.name, len(self))

    @property
    def strata(self) -> Labels:
        """The class of each image, int64 [n], or a number for its set of candidate labels."""
        return label_strata(self.labels, self.candidate_labels)

    def is_correct(self, predicted: Labels) -> NDArray[np.bool_]:
        """Whether each predicted label, [n], is the image's label or one of its candidate labels."""
        if self.candidate_labels is None:
            return np.asarray(predicted == self.labels)
        return self.candidate_labels[np.arange(len(predicted)), predicted]

    def true_class_probabilities(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return for probabilities [n, classes] that of each image's label, [n]; of candidate labels, their sum."""
        exact: NDArray[np.float64] = probabilities.astype(np.float64)
        if self.candidate_labels is None:
            return exact[np.arange(len(self)), self.labels]
        return np.asarray((exact * self.candidate_labels).sum(1))

    def images_sha256(self) -> str:
        """Hash the images in their order, whatever their labels."""
        return hashlib.sha256(np.ascontiguousarray(self.images).data).hexdigest()

    def sha256(self) -> str:
        """Hash the images and labels in their order; groups are not part of it."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        for values in (self.labels, self.candidate_labels):
            if values is not None:
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


def index_names(split: str, count: int) -> tuple[str, ...]:
    """Name images that have no file: `train#7` is the eighth of the train split."""
    return tuple(f"{split}#{index}" for index in range(count))


def label_strata(labels: Labels, candidate_labels: CandidateLabels | None) -> Labels:
    """Return a number for the label of each image, int64 [n], or for its set of candidate labels."""
    if candidate_labels is None:
        return labels
    return np.unique(candidate_labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All data that a training may use; the test split is not part of it.

    Args:
        class_names: the class of each label, in the order of the labels.
        train: the images to train on.
        validation: the held-out images; empty when nothing is held out.
        is_on_black: whether photos for a gray model are prepared as Fashion-MNIST was.
    """

    class_names: tuple[str, ...]
    train: Split
    validation: Split
    is_on_black: bool = True
