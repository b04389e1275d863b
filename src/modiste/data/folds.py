"""Choices of images by their labels: stratified folds, balanced subsets, balanced sampling."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import Groups, Indices, Labels, Split
from modiste.errors import InputError
from modiste.labels import NONE_OF_THESE

NONE_WEIGHT = 3
"""How often "none of these" is drawn where each class is drawn once. Drawn as often as a class, it is predicted too
seldom for photos of other things than those of the training."""


def stratified_fold(
    labels: Labels, folds: int, fold: int, seed: int, groups: Groups | None, class_names: Sequence[str] = ()
) -> tuple[Indices, Indices]:
    """Cut images into folds with the same share of every class, and hold out one, by `StratifiedKFold`.

    Args:
        labels: int64, [n].
        folds: number of folds, at least 2; a class with fewer images, or images of fewer groups, is an InputError.
        fold: which of them is held out, from 0.
        seed: of the shuffle before the cut.
        groups: int64, [n]; no group is cut, by `StratifiedGroupKFold`. None: each image is a group.
        class_names: by label, for the error.

    Returns:
        Indices of the training images and of the held-out images, both ascending.
    """
    label, fewest = _smallest_class(labels, groups)
    if fewest < folds:
        unit = "images" if groups is None else "groups of images"
        name = class_names[label] if label < len(class_names) else "one"
        raise InputError(
            f"A class needs at least {folds} {unit}, one for each fold, but {name} has only {fewest}. Add images, make "
            "a folder validation/, or hold nothing out with --set data.val_fraction=0."
        )
    return _cut(labels, folds, seed, groups)[fold]


def count_of_smallest_class(labels: Labels, groups: Groups | None) -> int:
    """Return how many images, or groups of images, the class with the fewest has; arguments as `stratified_fold`."""
    return _smallest_class(labels, groups)[1]


def _smallest_class(labels: Labels, groups: Groups | None) -> tuple[int, int]:
    """Return the label of the class with the fewest images, or groups of images, and how many these are."""
    units = labels if groups is None else np.unique(np.stack([labels, groups]), axis=1)[0]
    classes, counts = np.unique(units, return_counts=True)
    return int(classes[counts.argmin()]), int(counts.min())


def stratified_folds(
    labels: Labels, folds: int, seed: int, groups: Groups | None = None
) -> list[tuple[Indices, Indices]]:
    """Cut images into at most `folds` folds for cross-validation, each with the same share of every class.

    Args:
        labels: int64, [n].
        folds: maximum number of folds; fewer where a class has fewer images, or images of fewer groups.
        seed: of the shuffle before the cut.
        groups: int64, [n]; no group is cut. None: each image is a group.

    Returns:
        For each fold the indices of the training images and of the held-out images, both ascending; no fold where a
        class has one image, or images of one group.
    """
    folds = min(folds, count_of_smallest_class(labels, groups))
    return _cut(labels, folds, seed, groups) if folds > 1 else []


def _cut(labels: Labels, folds: int, seed: int, groups: Groups | None) -> list[tuple[Indices, Indices]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here, as the import takes 1.6 s

    make = StratifiedKFold if groups is None else StratifiedGroupKFold
    splits = make(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels, groups)
    return [(train.astype(np.int64), held_out.astype(np.int64)) for train, held_out in splits]


def balanced_subset(labels: Labels, count: int) -> Indices:
    """Choose at most `count` images (0: all), the first of each class in turn; return ascending indices."""
    return np.sort(round_robin_order(labels)[: count or None])


def round_robin_order(labels: Labels) -> Indices:
    """Return the order that takes one image of each class in turn."""
    rank = np.empty(len(labels), np.int64)  # 0 for the first image of each class, 1 for the second
    for label, images in enumerate(np.bincount(labels)):
        rank[labels == label] = np.arange(images)
    return np.lexsort((labels, rank))


def balanced_weights(split: Split, class_names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return how often to draw each image, float64 [n], with the mean 1: every class has the same sum.

    "None of these", which is many classes in one, has `NONE_WEIGHT` times as much. Within a class, the sum of each
    folder is in proportion to the square root of its size, so that a large folder of similar photos does not replace
    small ones. Images with the same candidate labels are a class of their own.
    """
    folders = np.zeros(len(split), np.int64) if split.folders is None else split.folders
    cells, cell_of_image, sizes = np.unique(
        np.stack([split.strata, folders], 1), axis=0, return_inverse=True, return_counts=True
    )
    strata = cells[:, 0]
    class_weights = np.ones(strata.max() + 1)
    if NONE_OF_THESE in class_names:
        class_weights[split.strata[split.labels == class_names.index(NONE_OF_THESE)]] = NONE_WEIGHT
    weights = class_weights[strata] / (np.sqrt(sizes) * np.bincount(strata, np.sqrt(sizes))[strata])
    drawn = weights[cell_of_image.reshape(-1)]
    return drawn / drawn.mean()  # type: ignore[no-any-return]
