"""The predictions of models for photos that they were not trained on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from photo_sets import Photo, candidate_labels

from modiste.data.split import Split
from modiste.inference.calibration import Calibration
from modiste.metrics import calibration

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
"""Of photos: bool [n]."""


@dataclass(frozen=True)
class PhotoPredictions:
    """The predictions of a model for photos that it was not trained on.

    Args:
        photos: the photos.
        probabilities: [n, labels], without temperature.
        class_names: names of the labels.
    """

    photos: list[Photo]
    probabilities: Floats
    class_names: tuple[str, ...]

    @cached_property
    def candidate_labels(self) -> Mask:
        """The accepted labels of each photo: bool [n, labels]."""
        return candidate_labels(self.photos, self.class_names)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """A number for the group of each photo: int64 [n]."""
        return np.unique([photo.group for photo in self.photos], return_inverse=True)[1].astype(np.int64)

    @cached_property
    def sources(self) -> NDArray[np.str_]:
        """The source of each photo, [n]."""
        return np.array([photo.source for photo in self.photos])

    @cached_property
    def classes(self) -> NDArray[np.str_]:
        """The class folder of each photo, [n]."""
        return np.array([photo.class_name for photo in self.photos])

    @cached_property
    def is_of_collection(self) -> Mask:
        """Whether the people of COLLECTION sent it: bool [n]."""
        return np.array([photo.is_of_collection for photo in self.photos], bool)

    @property
    def split(self) -> Split:
        """The labels as a split without images."""
        images = np.empty((len(self.photos), 0, 0), np.uint8)
        return Split("validation", images, self.candidate_labels.argmax(1).astype(np.int64), self.candidate_labels)

    @cached_property
    def is_correct(self) -> Mask:
        """Whether the most probable label of each photo is an accepted one: bool [n]."""
        return self.split.is_correct(self.probabilities.argmax(1))

    def fit_calibration(self) -> Calibration:
        """Fit temperature and threshold on these photos, as for every exported model."""
        label_groups = calibration.find_label_groups(self.candidate_labels)
        return calibration.fit_calibration(self.probabilities, self.split, self.class_names, label_groups)

    def subset(self, mask: Mask) -> "PhotoPredictions":
        """Return the predictions of some photos, bool [n]."""
        photos = [photo for photo, is_selected in zip(self.photos, mask, strict=True) if is_selected]
        return PhotoPredictions(photos, self.probabilities[mask], self.class_names)


def concatenate(parts: list[PhotoPredictions]) -> PhotoPredictions:
    """Return the predictions of all parts, each by a model that was not trained on it."""
    photos = [photo for part in parts for photo in part.photos]
    return PhotoPredictions(photos, np.concatenate([part.probabilities for part in parts]), parts[0].class_names)


def split_sources(predictions: PhotoPredictions) -> list[PhotoPredictions]:
    """Divide the predictions of one model by the sources of the photos."""
    return [predictions.subset(predictions.sources == name) for name in np.unique(predictions.sources)]


def fit_on_others(parts: list[PhotoPredictions]) -> list[Calibration]:
    """Return for each part the calibration that is fitted on all others."""
    return [concatenate([other for other in parts if other is not part]).fit_calibration() for part in parts]
