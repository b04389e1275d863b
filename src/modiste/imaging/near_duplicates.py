"""Find near-duplicates among many images: shifted by up to two pixels, of another brightness, mirrored, recompressed.

Candidates are pairs with the same perceptual hash of a crop, at any shift, and pairs with similar features: cosine
coefficients about the center of brightness. Both are found without a comparison of all pixels of all pairs. Candidates
are then compared pixel by pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from modiste.imaging import perceptual_hash
from modiste.imaging.perceptual_hash import Grays

MAX_SHIFT = 2
"""Pixels of the compared image, which has at most 32 a side."""

FREQUENCIES = 12
"""A side, of the features."""

FREQUENCY_POWER = 1.5
"""The weight of a frequency is this power of it, since most clothes of a class have similar low frequencies."""

SATURATED = 250
"""Pixels from this value on may have been clipped, and are not compared."""

MAX_BUCKET = 200
"""Different images with the same hash; more have nothing in common but that they are plain."""

BLOCK, CHUNK = 512, 20_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a pair.

    Args:
        features: least cosine of the features of a candidate.
        edges: least correlation of the edges of a near-duplicate.
    """

    features: float
    edges: float


SMALL = Limits(features=0.94, edges=0.95)
"""For images that are compared as they are. Of 20,000 of Fashion-MNIST, 37 pairs reach 0.95; copies of another
brightness have edges that correlate by 0.998 or more, and features by 0.958 (1.3 times as bright)."""

MEDIUM = Limits(features=0.75, edges=0.80)
"""For photos, which are scaled down and blurred. Of 70 different photos, no pair reaches 0.74; copies that are moved by
one or two pixels have at least 0.80, JPEG files of quality 30 at least 0.87."""

LARGE = Limits(features=0.75, edges=0.85)
"""For photos of `LARGE_SIDE` pixels or more, which a move by two pixels changes less when they are scaled down. Among
1,000 photos of 224 pixels, 60 pairs reach 0.80, different clothes of one outline on one background, 8 reach 0.85 and
none 0.90. Of 300 copies that are moved by two pixels 295 reach 0.85, of JPEG files of quality 30 299."""

LARGE_SIDE = 192


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of images, one per row.

    Args:
        first, second: int64 [k], positions of the two images.
        flipped: bool [k], whether the mirror image of the first was compared.
        shift: int64 [k, 2]; pixel (y + shift[0], x + shift[1]) of the first corresponds to (y, x) of the second.
        similarity: float32 [k], at most 1.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    shift: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.first[rows], self.second[rows], self.flipped[rows], self.shift[rows], self.similarity[rows])


def find_near_duplicates(*parts: NDArray[np.uint8]) -> Pairs:
    """Return pairs of near-duplicates, the most similar first; positions are those in all parts one after the other.

    Of identical images, each is paired with the first of them, and only that one with others.

    Args:
        parts: images of one size, uint8 [n, s, s] or [n, s, s, 3].
    """
    images = np.concatenate([_shrink(part) for part in parts])
    side = parts[0].shape[1]
    limits = SMALL if side <= perceptual_hash.SIDE else MEDIUM if side < LARGE_SIDE else LARGE
    _, first, group = np.unique(images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True)
    copies = np.setdiff1d(np.arange(len(images)), first)
    unique = np.sort(first)
    candidates = _concatenate([*_same_hash(images[unique]), *_similar_features(images[unique], limits.features)])
    near = _confirm(images[unique], _unique_pairs(candidates), limits.edges)
    near = replace(near, first=unique[near.first], second=unique[near.second])
    exact = _pairs(first[group.reshape(-1)[copies]], copies, similarity=1.0)
    pairs = _concatenate([exact, near])
    return pairs.take(np.lexsort((pairs.second, pairs.first, -pairs.similarity)))


def _shrink(images: NDArray[np.uint8]) -> Grays:
    """Return what is compared: gray, uint8 [n, s, s], at most 32 pixels a side; large images are blurred, too.

    Without the blur, edges of photos that are moved by a fraction of the smaller pixels hardly correlate.
    """
    gray = perceptual_hash.to_gray(images)
    if gray.shape[1] <= perceptual_hash.SIDE:
        return gray
    starts = range(0, len(gray), BLOCK)
    blocks = [_blur(perceptual_hash.resize(gray[start : start + BLOCK])) for start in starts]
    return np.concatenate(blocks) if blocks else gray[:, : perceptual_hash.SIDE, : perceptual_hash.SIDE]


def _blur(images: Floats) -> Grays:
    """Blur twice by a binomial filter of 3 x 3 pixels."""
    for _ in range(2):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
        rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
        images = ((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4).astype(np.float32)
    return np.rint(images).astype(np.uint8)


def _same_hash(images: Grays) -> Iterator[Pairs]:
    """Yield pairs with equal hashes of a crop: the central one of the second, any or a mirrored one of the first."""
    side = images.shape[1] - 2 * MAX_SHIFT
    center = perceptual_hash.phash(_crop(images, MAX_SHIFT, MAX_SHIFT, side))
    order = np.argsort(center, kind="stable")
    signs = np.where(np.arange(perceptual_hash.LOW) % 2, -1, 1).astype(np.float32)
    for top, left in product(range(2 * MAX_SHIFT + 1), repeat=2):
        frequencies = perceptual_hash.low_frequencies(_crop(images, top, left, side))
        plain = perceptual_hash.hash_frequencies(frequencies)
        flipped = perceptual_hash.hash_frequencies(frequencies * signs)
        for is_flipped, hashes in ((False, plain), (True, flipped)):
            first, second = _join(hashes, center, order)
            across = MAX_SHIFT - left if is_flipped else left - MAX_SHIFT
            yield _pairs(first, second, is_flipped, (top - MAX_SHIFT, across))


def _crop(images: Grays, top: int, left: int, side: int) -> Grays:
    return np.ascontiguousarray(images[:, top : top + side, left : left + side])


def _join(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions i < j of all equal hashes[i], others[j]; `order` sorts the others."""
    ordered = others[order]
    start, end = (np.searchsorted(ordered, hashes, side) for side in ("left", "right"))
    counts = np.where(end - start <= MAX_BUCKET, end - start, 0)
    first = np.repeat(np.arange(len(hashes)), counts)
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    second = order[np.repeat(start, counts) + within]
    return first[first < second], second[first < second]


def _similar_features(images: Grays, least: float) -> Iterator[Pairs]:
    """Yield pairs with similar features, one block of first images after another."""
    features, flipped, centers = _features(images)
    for start in range(0, len(images), BLOCK):
        for is_flipped, rows in ((False, features), (True, flipped)):
            similarity = rows[start : start + BLOCK] @ features[start:].T
            first, second = np.nonzero(similarity >= least)
            is_pair = first < second
            first, second = first[is_pair] + start, second[is_pair] + start
            position = centers[first] * (1, -1 if is_flipped else 1)
            shift = np.rint(position - centers[second]).astype(np.int64)
            near = (np.abs(shift) <= MAX_SHIFT).all(1)
            yield _pairs(first[near], second[near], is_flipped, shift[near])
            moved = near & shift.any(1)  # brightness may move the center, but not the image
            yield _pairs(first[moved], second[moved], is_flipped)


def _features(images: Grays) -> tuple[Floats, Floats, Floats]:
    """Return features of images and of their mirror images, float32 [n, d] of length 1, and centers, [n, 2].

    The features are those coefficients of a cosine transform about the center of brightness that are not constant.
    """
    n, side, _ = images.shape
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    pixels = images.astype(np.float32) - np.median(border, axis=1)[:, None, None].astype(np.float32)
    positions = np.arange(side, dtype=np.float32) - (side - 1) / 2
    weights = np.abs(pixels)
    total = weights.sum((1, 2)) + 1e-6
    centers = np.stack([weights.sum(axis) @ positions / total for axis in (2, 1)], axis=1)
    order, width = np.arange(FREQUENCIES), side + 8  # wider than the image, so that its edges stay inside
    down, across = (
        np.cos(np.pi / width * order[:, None] * (positions - center[:, None] + width / 2)[:, None]).astype(np.float32)
        for center in centers.T
    )
    scale = (order[:, None] ** 2 + order**2) ** (FREQUENCY_POWER / 2)
    coefficients = (down @ pixels @ across.transpose(0, 2, 1) * scale).astype(np.float32)
    both = (coefficients, coefficients * np.where(order % 2, -1, 1).astype(np.float32))
    features, flipped = (values.reshape(n, -1) for values in both)
    length = np.linalg.norm(features, axis=1, keepdims=True) + 1e-6
    return features / length, flipped / length, centers


def _unique_pairs(pairs: Pairs) -> Pairs:
    """Leave out pairs that are there twice with the same shift."""
    key = (pairs.first * (int(pairs.second.max(initial=0)) + 1) + pairs.second) * 64
    key += (pairs.shift + MAX_SHIFT) @ np.array([8, 1]) + pairs.flipped * 40
    return pairs.take(np.unique(key, return_index=True)[1])


def _confirm(images: Grays, pairs: Pairs, least: float) -> Pairs:
    """Return the pairs whose edges correlate, each pair of images once, with the most similar shift."""
    edges, usable = _edges(images)
    similarity = np.zeros(len(pairs), np.float32)
    steps = range(-MAX_SHIFT, MAX_SHIFT + 1)
    for is_flipped, down, across in product((False, True), steps, steps):
        shift = [down, across]
        rows = np.flatnonzero((pairs.flipped == is_flipped) & (pairs.shift == shift).all(1))
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            first, second = pairs.first[some], pairs.second[some]
            similarity[some] = _correlate(edges, usable, first, second, is_flipped, shift)
    pairs = replace(pairs, similarity=similarity).take(similarity >= least)
    pairs = pairs.take(np.lexsort((pairs.flipped, -pairs.similarity)))
    _, best = np.unique(np.stack([pairs.first, pairs.second]), axis=1, return_index=True)
    return pairs.take(best)


def _edges(images: Grays) -> tuple[Floats, Floats]:
    """Return the Laplacian of each image, and 1 where it is usable, not beside a saturated pixel; float32 [n, s, s]."""
    pixels = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = (pixels[:, :-2, 1:-1], pixels[:, 2:, 1:-1], pixels[:, 1:-1, :-2], pixels[:, 1:-1, 2:])
    edges = images.astype(np.float32)
    usable = images < SATURATED
    for neighbor in around:
        edges -= neighbor.astype(np.float32) / 4
        usable &= neighbor < SATURATED
    return edges, usable.astype(np.float32)


def _correlate(
    edges: Floats,
    usable: Floats,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    is_flipped: bool,
    shift: list[int],
) -> Floats:
    """Return the correlation of the edges of pairs, [k], where both are usable and the shifted images overlap.

    The outermost pixels of the overlap are left out: their edges are those of the frame.
    """
    side = edges.shape[1]
    ours = [slice(1 + max(by, 0), side - 1 + min(by, 0)) for by in shift]
    theirs = [slice(1 + max(-by, 0), side - 1 + min(-by, 0)) for by in shift]
    step = -1 if is_flipped else 1
    a, mask = (values[first][:, :, ::step][:, *ours] for values in (edges, usable))
    mask = mask * usable[second][:, *theirs]
    a, b = a * mask, edges[second][:, *theirs] * mask
    product, energy_a, energy_b = (np.einsum("nij,nij->n", x, y) for x, y in ((a, b), (a, a), (b, b)))
    return np.asarray(product / np.sqrt(energy_a * energy_b + 1e-6))


def _pairs(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    flipped: bool = False,
    shift: NDArray[np.int64] | tuple[int, int] = (0, 0),
    similarity: float = 0.0,
) -> Pairs:
    """Return pairs that have a value in common."""
    n = len(first)
    shifts = np.broadcast_to(np.asarray(shift, np.int64), (n, 2))
    return Pairs(first, second, np.full(n, flipped), shifts, np.full(n, similarity, np.float32))


def _concatenate(parts: list[Pairs]) -> Pairs:
    names = ("first", "second", "flipped", "shift", "similarity")
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
