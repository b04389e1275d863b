"""Find images that are the same, and images that are nearly the same, among many.

For photos of any size, at once; `imaging.near_duplicates` also finds shifted and mirrored images, in more time.
"""

import itertools
from collections.abc import Sequence
from operator import add

import numpy as np
from numpy.typing import NDArray

MIN_CORRELATION = 0.995
"""Of the thumbnails of near-duplicates. Photos that were compressed again, made smaller or 15 % brighter reach it (at
least 99 of 100); of the 4.7 million pairs of the clothing dataset's photos one does, which shows one photo twice."""

COMPONENTS = 32
"""Principal components in which pairs are compared first, which takes an eighth of the time."""

BLOCK = 1024

Pairs = NDArray[np.int64]
"""[k, 2], each row two indices, the smaller first."""


def find_exact(digests: Sequence[bytes]) -> list[list[int]]:
    """Return the indices of each set of two or more images with the same digest, in the order of the first."""
    indices: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        indices.setdefault(digest, []).append(index)
    return [same for same in indices.values() if len(same) > 1]


def find_near(thumbnails: NDArray[np.uint8]) -> Pairs:
    """Return the pairs of thumbnails, uint8 [n, 16, 16], whose gray values correlate by at least `MIN_CORRELATION`.

    A thumbnail of one color is in no pair.
    """
    vectors = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    vectors -= vectors.mean(1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    indices = np.flatnonzero(norms[:, 0] > 0)
    if not len(indices):
        return np.empty((0, 2), np.int64)
    vectors = vectors[indices] / norms[indices]
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    pairs = _find_candidates(vectors @ axes[:, -COMPONENTS:])
    correlations = np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return np.unique(np.sort(indices[pairs[correlations >= MIN_CORRELATION]], axis=1), axis=0)


def _find_candidates(projected: NDArray[np.float32]) -> Pairs:
    """Return the pairs of projections that are as near one another as those of near-duplicates are.

    Cells of a grid along three components have the side of that distance, so that only neighboring cells are compared.
    """
    limit = 2 * (1 - MIN_CORRELATION) + 1e-5  # the squared distance of unit vectors; a projection does not increase it
    squares, ones = (projected**2).sum(1, keepdims=True), np.ones((len(projected), 1), np.float32)
    left, right = np.hstack([-2 * projected, squares, ones]), np.hstack([projected, ones, squares])
    coordinates = np.floor(projected[:, -3:] / limit**0.5)
    cells, cell_of_row = np.unique(coordinates, axis=0, return_inverse=True)
    order = np.argsort(cell_of_row.reshape(-1), kind="stable")
    members = np.split(order, np.cumsum(np.bincount(cell_of_row.reshape(-1)))[:-1])
    rows_by_cell = dict(zip(map(tuple, cells.tolist()), members, strict=True))
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if step >= (0, 0, 0)]  # each pair of cells once
    pair_blocks = [np.empty((0, 2), np.int64)]
    for cell, rows in rows_by_cell.items():
        neighbors = (tuple(map(add, cell, step)) for step in steps)
        others = np.concatenate([rows_by_cell[each] for each in neighbors if each in rows_by_cell])
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            first, second = np.nonzero(left[block] @ right[others].T <= limit)
            pair_blocks.append(np.stack([block[first], others[second]], 1))
    pairs = np.concatenate(pair_blocks)
    first_cell, second_cell = (cell_of_row.reshape(-1)[column] for column in pairs.T)
    result: Pairs = pairs[(first_cell != second_cell) | (pairs[:, 0] < pairs[:, 1])]
    return result
