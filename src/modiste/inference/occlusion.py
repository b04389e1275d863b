"""Occlusion sensitivity: how much the probability of a class drops when a part of the image is covered.

Zeiler and Fergus 2014, arXiv 1311.2901. It needs a few dozen forward passes, but works with every model. Class
activation maps (Zhou et al. 2016) need one, but do not show whether the prediction depends on what they highlight.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modiste.inference.calibration import FLOOR

GRID, WINDOW = 7, 2
"""Cells per side, and cells per side that are covered at a time: covering a single one hardly changes a prediction."""

POSITIONS = GRID - WINDOW + 1
FORWARD_PASSES = 1 + POSITIONS**2
"""Images per map: the original, and one for each position of the window."""


def occlusion_map(
    predict_images: Callable[[NDArray[np.uint8]], NDArray[np.float32]], image: NDArray[np.uint8], label: int
) -> NDArray[np.float32]:
    """Return how much each cell of an image supports a class, float32 [GRID, GRID].

    This is the drop of the class's log-probability, averaged over all windows that cover the cell.

    Args:
        predict_images: images, uint8 [n, ...] -> probabilities, [n, classes].
        image: uint8 [s, s] or [s, s, 3].
        label: index of the class.
    """
    windows = np.zeros((FORWARD_PASSES - 1, GRID, GRID), bool)
    for window, (top, left) in zip(windows, np.ndindex(POSITIONS, POSITIONS), strict=True):
        window[top : top + WINDOW, left : left + WINDOW] = True
    images = np.stack([image, *(occlude(image, window) for window in windows)])
    original, *occluded = np.log(predict_images(images)[:, label].clip(FLOOR))
    drop = original - np.array(occluded)
    return (np.einsum("w,wyx->yx", drop, windows) / windows.sum(0)).astype(np.float32)  # type: ignore[no-any-return]


def occlude(image: NDArray[np.uint8], cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the image with some cells of a grid, bool [h, w], filled with the image's mean color."""
    rows, columns = (np.arange(image.shape[0]) * side // image.shape[0] for side in cells.shape)
    occluded = image.copy()
    occluded[cells[np.ix_(rows, columns)]] = image.mean((0, 1)).round()
    return occluded
