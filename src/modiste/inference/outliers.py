"""Images unlike those that a model was trained on, such as noise, gradients and test patterns: "none of these".

A network is sure of many images that have nothing to do with its classes. Here each class has a normal distribution of
21 statistics of its images, and an image that is too far from all of them shows none of the classes (Lee et al. 2018,
arXiv 1807.03888, with statistics of the pixels in place of the features of a network). It depends on the image alone.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]

KEY = "outliers"
"""Metadata key of a model file."""

COUNT = 21
"""Number of statistics."""

MAX_SCORED = 2048
"""Images at a time."""

MAX_LENGTH, MAX_CLASS_LENGTH = 1000, 2500
"""Characters in the metadata, and those for each class: 22 x 21 numbers of 4 bytes in base64."""


@dataclass(frozen=True, slots=True)
class OutlierDetector:
    """Distributions of the statistics of each class, and the distance from which on an image is in none of them.

    Args:
        means: float64 [k, 21].
        transforms: float64 [k, 21, 21]; the distance of a class is the squared length of its transform of what differs
            from its mean: the squared Mahalanobis distance.
        threshold: largest distance from the nearest class.
        coverage: share of the validation images within it.
    """

    means: Floats
    transforms: Floats
    threshold: float
    coverage: float

    def distances(self, images: Images) -> Floats:
        """Return the squared Mahalanobis distance from the nearest class, [n], of gray images, uint8 [n, s, s]."""
        parts = [images[start : start + MAX_SCORED] for start in range(0, len(images), MAX_SCORED)]
        return np.concatenate([self._distances(part) for part in parts]) if parts else np.empty(0)

    def is_outlier(self, images: Images) -> NDArray[np.bool_]:
        """Return which gray images, uint8 [n, s, s], are in no class."""
        return self.distances(images) > self.threshold

    def _distances(self, images: Images) -> Floats:
        statistics, nearest = image_statistics(images), np.full(len(images), np.inf)
        for mean, transform in zip(self.means, self.transforms, strict=True):
            np.minimum(nearest, (((statistics - mean) @ transform) ** 2).sum(1), out=nearest)
        return nearest

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata of a model file that `from_metadata` reads."""
        arrays = {"means": _encode(self.means), "transforms": _encode(self.transforms)}
        return {KEY: json.dumps({**arrays, "threshold": self.threshold, "coverage": self.coverage})}


def from_metadata(metadata: dict[str, str], channels: int, classes: int) -> OutlierDetector | None:
    """Read what `to_metadata` wrote; None where there is nothing. Raises ValueError or KeyError if it is invalid."""
    if KEY not in metadata:
        return None
    if len(metadata[KEY]) > MAX_LENGTH + MAX_CLASS_LENGTH * classes:
        raise ValueError("more statistics than classes")
    content = json.loads(metadata[KEY])
    means = _decode(content["means"]).reshape(-1, COUNT)
    transforms = _decode(content["transforms"]).reshape(len(means), COUNT, COUNT)
    threshold, coverage = float(content["threshold"]), float(content["coverage"])
    if channels != 1 or len(means) != classes or not 0 < threshold < np.inf or not 0 <= coverage <= 1:
        raise ValueError("no detector of outliers among gray images")
    return OutlierDetector(means, transforms, threshold, coverage)


def image_statistics(images: Images) -> Floats:
    """Return statistics of gray images, uint8 [n, s, s]: float64 [n, 21].

    Of levels, of differences between neighbors, of symmetry, of the edges of the image, and of squares of 4 x 4 pixels.
    """
    levels = images.astype(np.float32) / 255
    across, down = np.abs(np.diff(levels, axis=2)), np.abs(np.diff(levels, axis=1))
    inner = levels[:, 1:-1, 1:-1]
    neighbors = levels[:, :-2, 1:-1] + levels[:, 2:, 1:-1] + levels[:, 1:-1, :-2] + levels[:, 1:-1, 2:]
    edges, rows = np.abs(4 * inner - neighbors), levels.mean(2)
    side = levels.shape[1] // 4 * 4
    squares = levels[:, :side, :side].reshape(len(levels), side // 4, 4, side // 4, 4)
    return np.stack(
        [
            _mean(levels), levels.std((1, 2)), np.median(levels, axis=(1, 2)), levels.max((1, 2)),
            _mean(levels == 0), _mean(levels > 0.1), _mean(levels > 0.9),
            _mean(across), _mean(down), np.sqrt(_mean(across**2)), np.sqrt(_mean(down**2)), _mean(across == 0),
            _mean(edges), edges.max((1, 2)),
            _mean(np.abs(levels - levels[:, :, ::-1])),
            _mean(levels[:, [0, -1]]), _mean(levels[:, :, [0, -1]]), rows[:, :4].mean(1), rows[:, -4:].mean(1),
            squares.std((2, 4)).mean((1, 2)), squares.mean((2, 4)).std((1, 2)),
        ],
        axis=1,
    ).astype(np.float64)  # fmt: skip


def _mean(values: NDArray[np.floating[Any]] | NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(values.mean((1, 2), dtype=np.float32), np.float32)


def _encode(values: Floats) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _decode(text: str) -> Floats:
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values
