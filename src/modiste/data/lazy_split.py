"""A source of data seen from above: its labels at once, its images only when asked for."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import CandidateLabels, Images, Labels, Split


@dataclass(frozen=True, slots=True)
class LazySplit:
    """The train, validation or test part of a source.

    Args:
        labels: int64, [n].
        load: indices [k] into the part -> images, uint8 [k, s, s] or [k, s, s, 3].
        candidate_labels: bool, [n, labels], where some images are one of several; else None.
    """

    labels: Labels
    load: Callable[[NDArray[np.int64]], Images]
    candidate_labels: CandidateLabels | None = None

    @property
    def strata(self) -> Labels:
        """A number an image: images of the same label, or of the same labels, have the same."""
        if self.candidate_labels is None:
            return self.labels
        return np.unique(self.candidate_labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def split(self, name: str, indices: NDArray[np.int64] | None = None) -> Split:
        """Load some of the images, or all, in the order of the indices."""
        chosen = np.arange(len(self.labels)) if indices is None else indices
        candidate_labels = None if self.candidate_labels is None else self.candidate_labels[chosen]
        return Split(name, self.load(chosen), self.labels[chosen], candidate_labels)


class Source(Protocol):
    """Where images come from. `has` says which parts there are; to open one opens none of the others."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the label numbers mean."""

    def has(self, name: str) -> bool:
        """Whether there is such a part, without opening it."""

    def part(self, name: str) -> LazySplit:
        """Open a part that is there."""

    def files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the files of a part, in a fixed order."""


def sha256(source: Source, names: tuple[str, ...]) -> str:
    """Fingerprint of the files of some parts: their names and contents."""
    digest = hashlib.sha256()
    for name in names:
        for file, content in source.files(name):
            digest.update(f"{name}/{file}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
    return digest.hexdigest()
