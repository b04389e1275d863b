"""The interface of a data source: labels are read at once, images only when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import CandidateLabels, Folders, Groups, Images, Indices, Labels, Split, label_strata
from modiste.errors import InputError
from modiste.imaging.preprocess import PhotoInput

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class LazySplit:
    """One split of a source, its images not loaded.

    The order is that of the files: in IDX files as stored; in class folders sorted by folder name, then by file name,
    as torchvision's `ImageFolder` and Keras (`shuffle=False`) have it.

    Args:
        labels: int64, [n].
        load: indices int64 [k] -> images uint8, [k, s, s] or [k, s, s, 3].
        names: of each image: the path of its file relative to the data, or `train#7` for the eighth image of train.
        candidate_labels: bool, [n, classes], where some images have several; else None.
        groups: int64, [n], where the source says which images belong together; else None.
        folders: int64, [n], the class folder of each image, where the source has folders; else None.
        photo: index -> the photo that an image is made from, where images are not stored as arrays; else None.
        stored_strata: int64, [n], the strata before labels were corrected; else None.
        corrected: bool, [n], whether corrections.csv gives an image another label; None without such a file.
    """

    labels: Labels
    load: Callable[[Indices], Images]
    names: Sequence[str]
    candidate_labels: CandidateLabels | None = None
    groups: Groups | None = None
    folders: Folders | None = None
    photo: Callable[[int], PhotoInput] | None = None
    stored_strata: Labels | None = None
    corrected: NDArray[np.bool_] | None = None

    @property
    def stratify_by(self) -> Labels:
        """The stratum of each image, int64 [n]: its label, or a number for its set of candidate labels.

        Corrected labels do not change it, so that they move no image from the training images to those held out.
        """
        if self.stored_strata is not None:
            return self.stored_strata
        return label_strata(self.labels, self.candidate_labels)

    def load_split(self, name: str, indices: Indices | None = None) -> Split:
        """Load the images at some indices, or all, in the order of the indices.

        Raises:
            InputError: an image cannot be read; of photos, the error says what names all of these.
        """
        rows = np.arange(len(self.labels)) if indices is None else indices
        candidate_labels = None if self.candidate_labels is None else self.candidate_labels[rows]
        groups = None if self.groups is None else self.groups[rows]
        folders = None if self.folders is None else self.folders[rows]
        names = tuple(self.names[row] for row in rows)
        corrected = 0 if self.corrected is None else int(self.corrected[rows].sum())
        try:
            images = self.load(rows)
        except InputError as error:
            advice = "" if self.photo is None else " `modiste data verify` names all files that cannot be used."
            raise type(error)(f"{error}{advice}") from None
        return Split(name, images, self.labels[rows], candidate_labels, groups, folders, names, corrected)


class Source(Protocol):
    """Where images come from. Each split is opened without opening the others."""

    @property
    def has_photos(self) -> bool:
        """Whether images are made from photos, as in a prediction, rather than stored as arrays."""

    @property
    def folder(self) -> Path | None:
        """What the names of images are relative to, with groups.csv and corrections.csv; None for the bundled data."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of each label, in the order of the labels."""

    @property
    def is_fashion_mnist(self) -> bool:
        """Whether train, or test where there is no train, is that of the official Fashion-MNIST."""

    def has_split(self, name: str) -> bool:
        """Whether there are files for a split, without opening them."""

    def part(self, name: str) -> LazySplit:
        """Open a split that is there."""

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the files of a split: names and contents, in a fixed order that does not depend on the source's path."""

    def how_to_add(self, split: str) -> str:
        """Return a sentence on how to add a split that is not there, without its period."""


def first_split(source: Source) -> str:
    """Return the split that decides the classes: train where there is one, else validation or test."""
    return next(filter(source.has_split, SPLITS))
