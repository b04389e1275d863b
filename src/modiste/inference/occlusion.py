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

FORWARD_PASSES = 1 + (GRID - WINDOW + 1) ** 2
"""Images per map: the original, and one for each position of the window."""

PredictImages = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Images, uint8 [n, ...] -> probabilities [n, classes]."""


def occlusion_map(predict_images: PredictImages, image: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return how much each cell of an image supports a class, float32 [GRID, GRID].

    This is the drop of the class's log-probability, averaged over all windows that cover the cell.

    Args:
        predict_images: probabilities of a model.
        image: uint8 [s, s] or [s, s, 3].
        label: index of the class.
    """
    positions = range(GRID - WINDOW + 1)
    windows = np.stack([_window_mask(top, left) for top in positions for left in positions])
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


def _window_mask(top: int, left: int) -> NDArray[np.bool_]:
    cells = np.zeros((GRID, GRID), bool)
    cells[top : top + WINDOW, left : left + WINDOW] = True
    return cells
