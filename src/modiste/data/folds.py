"""Stratified folds: which images are held out for validation."""

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import Labels
from modiste.errors import InputError

Indices = NDArray[np.int64]


def fold(labels: Labels, folds: int, held_out: int, seed: int) -> tuple[Indices, Indices]:
    """Cut images into folds with the same share of every label and hold one out.

    Args:
        labels: int64, [n].
        folds: how many, at least 2.
        held_out: which one, from 0.
        seed: of the shuffle before the cut.

    Returns:
        Indices to train on and indices held out, both ascending; label_groups each image once.

    Raises:
        InputError: a label has fewer images than there are folds.
    """
    counts = np.bincount(labels)
    fewest = int(counts[counts > 0].min())
    if fewest < folds:
        raise InputError(
            f"A label has only {fewest} images, but {folds} folds are to be cut. Add images, make a folder "
            "validation/, or hold nothing out with --set data.val_fraction=0."
        )
    from sklearn.model_selection import StratifiedKFold  # here, as it takes 1.6 s

    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    train, validation = list(cut.split(np.zeros(len(labels)), labels))[held_out]
    return train.astype(np.int64), validation.astype(np.int64)
