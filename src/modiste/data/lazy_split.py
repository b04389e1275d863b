"""The interface of a data source: labels are read at once, images only when they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from modiste.data.split import CandidateLabels, Folders, Groups, Images, Indices, Labels, Split, label_strata

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class LazySplit:
    """One split of a source, its images not loaded.

    The order is that of the files: in IDX files as stored; in class folders sorted by folder name, then by file name,
    as torchvision's `ImageFolder` and Keras (`shuffle=False`) have it.

    Args:
        labels: int64, [n].
        load: indices int64 [k] -> images uint8, [k, s, s] or [k, s, s, 3].
        candidate_labels: bool, [n, classes], where some images have several; else None.
        groups: int64, [n], where the source says which images belong together; else None.
        folders: int64, [n], the class folder of each image, where the source has folders; else None.
        files: the file of each image, relative to the data folder, where each has one; else None.
    """

    labels: Labels
    load: Callable[[Indices], Images]
    candidate_labels: CandidateLabels | None = None
    groups: Groups | None = None
    folders: Folders | None = None
    files: tuple[str, ...] | None = None

    @property
    def stratify_by(self) -> Labels:
        """The stratum of each image, int64 [n]: its label, or a number for its set of candidate labels."""
        return label_strata(self.labels, self.candidate_labels)

    def load_split(self, name: str, indices: Indices | None = None) -> Split:
        """Load the images at some indices, or all, in the order of the indices."""
        rows = np.arange(len(self.labels)) if indices is None else indices
        candidate_labels = None if self.candidate_labels is None else self.candidate_labels[rows]
        groups = None if self.groups is None else self.groups[rows]
        folders = None if self.folders is None else self.folders[rows]
        files = None if self.files is None else tuple(self.files[row] for row in rows)
        return Split(name, self.load(rows), self.labels[rows], candidate_labels, groups, folders, files)


class Source(Protocol):
    """Where images come from. Each split is opened without opening the others."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of each label, in the order of the labels."""

    def has_split(self, name: str) -> bool:
        """Whether there are files for a split, without opening them."""

    def part(self, name: str) -> LazySplit:
        """Open a split that is there."""

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the files of a split: names and contents, in a fixed order that does not depend on the source's path."""
