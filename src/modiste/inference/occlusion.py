"""Occlusion: what a label loses when a place of its image is hidden (Zeiler and Fergus 2014, arXiv 1311.2901).

It takes a few dozen looks. The last features could tell in one what speaks for a label (Zhou et al. 2016), but not
whether the label stands without that. Every model can be asked this way.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GRID, WINDOW = 7, 2
"""Places a side, and how many of them are hidden label_groups: single ones are too small to be missed."""

LOOKS = 1 + (GRID - WINDOW + 1) ** 2
"""At an image: whole, and with each window hidden."""

LEAST = 1e-9
"""Below this a probability counts as this."""

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Of images, uint8 [n, ...] -> [n, labels]."""


def evidence(probabilities: Probabilities, image: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return how much each place speaks for a label: float32 [GRID, GRID].

    It is what the logarithm of the label's probability loses, the mean over all windows that hide the place.

    Args:
        probabilities: of a model.
        image: uint8 [s, s] or [s, s, 3].
        label: its number.
    """
    windows = np.stack([_window(top, left) for top in range(GRID - WINDOW + 1) for left in range(GRID - WINDOW + 1)])
    whole, *parts = np.log(
        probabilities(np.stack([image, *(occluded(image, window) for window in windows)]))[:, label].clip(LEAST)
    )
    lost = whole - np.array(parts)
    return (np.einsum("w,wyx->yx", lost, windows) / windows.sum(0)).astype(np.float32)  # type: ignore[no-any-return]


def occluded(image: NDArray[np.uint8], places: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the image with some places of a grid, bool [h, w], in the image's mean color."""
    rows, columns = (np.arange(image.shape[0]) * side // image.shape[0] for side in places.shape)
    masked = image.copy()
    masked[places[np.ix_(rows, columns)]] = image.mean((0, 1)).round()
    return masked


def _window(top: int, left: int) -> NDArray[np.bool_]:
    places = np.zeros((GRID, GRID), bool)
    places[top : top + WINDOW, left : left + WINDOW] = True
    return places
