"""Where the evidence for a label is, drawn over the image that the network saw."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 224
"""Pixels a side of what is drawn, at least: evidence is coarse, and an image of 28 pixels is small."""

FULL = 0.1
"""Evidence that is drawn as the most there is, at least: where no place matters, noise is not to look like much."""

RAMP = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], np.float64)
"""Five colors of viridis (Smith and van der Walt 2015): told apart with any color vision, and in gray."""


def heat(evidence: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Enlarge the evidence for one label to the image: float32 [size, size], 0 (none, or against it) to 1 (much).

    Args:
        evidence: floats [h, w], how much each place speaks for the label.
        size: pixels a side.
    """
    larger = Image.fromarray(evidence.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    positive = np.maximum(np.asarray(larger), 0)
    return positive / max(float(positive.max()), FULL)  # type: ignore[no-any-return]


def overlay(image: NDArray[np.uint8], evidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw the evidence for a label over an image: uint8 [s, s, 3].

    Args:
        image: uint8 [s, s] or [s, s, 3], what the network saw.
        evidence: as `heat`.
    """
    side = max(SIDE, image.shape[0])
    seen = np.asarray(Image.fromarray(image).convert("RGB").resize((side, side), Image.Resampling.NEAREST))
    warm = heat(evidence, side)
    stops = np.linspace(0, 1, len(RAMP))
    colors = np.stack([np.interp(warm, stops, RAMP[:, channel]) for channel in range(3)], 2)
    return np.rint(0.45 * seen + 0.55 * colors).astype(np.uint8)
