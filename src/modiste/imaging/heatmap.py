"""Draw an occlusion map over the image that the model took."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_SIDE = 224
"""Pixels a side of the drawing, at least."""

MIN_PEAK = 0.1
"""Value that is drawn in the brightest color, at least, so that a map of noise stays dark."""

VIRIDIS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], np.float64)
"""Five RGB colors of viridis (Smith and van der Walt 2015), which is readable with any color vision, and in gray."""


def resize_occlusion_map(occlusion_map: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Enlarge an occlusion map and scale it: float32 [size, size], 0 (no drop in probability) to 1 (largest drop).

    Args:
        occlusion_map: float [h, w], the drop in the class's probability when each place is hidden.
        size: pixels a side of the result.
    """
    larger = Image.fromarray(occlusion_map.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    positive = np.maximum(np.asarray(larger), 0)
    return positive / max(float(positive.max()), MIN_PEAK)  # type: ignore[no-any-return]


def overlay(image: NDArray[np.uint8], occlusion_map: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw an occlusion map over an image: uint8 [s, s, 3], with s at least 224.

    Args:
        image: uint8 [s, s] or [s, s, 3], the input of the model.
        occlusion_map: float [h, w], as for `resize_occlusion_map`.
    """
    side = max(MIN_SIDE, image.shape[0])
    background = np.asarray(Image.fromarray(image).convert("RGB").resize((side, side), Image.Resampling.NEAREST))
    heat = resize_occlusion_map(occlusion_map, side)
    stops = np.linspace(0, 1, len(VIRIDIS))
    colors = np.stack([np.interp(heat, stops, VIRIDIS[:, channel]) for channel in range(3)], 2)
    return np.rint(0.45 * background + 0.55 * colors).astype(np.uint8)
