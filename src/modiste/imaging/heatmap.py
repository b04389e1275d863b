"""Draw an occlusion map over the image that the model took."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_PEAK = 0.1
"""Value that is drawn in the brightest color, at least, so that a map of noise stays dark."""

VIRIDIS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], np.float64)
"""Five RGB colors of viridis (Smith and van der Walt 2015), which is readable with any color vision, and in gray."""


def resize_occlusion_map(occlusion_map: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Enlarge an occlusion map, float [h, w], and scale it: float32 [size, size], 0 (no drop) to 1 (largest drop)."""
    larger = Image.fromarray(occlusion_map.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    positive = np.maximum(np.asarray(larger), 0)
    return positive / max(float(positive.max()), MIN_PEAK)  # type: ignore[no-any-return]


def overlay(image: NDArray[np.uint8], occlusion_map: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw an occlusion map, float [h, w], over the input of the model, uint8 [s, s] or [s, s, 3]: uint8 [t, t, 3].

    Smaller images are enlarged to t = 224 pixels a side.
    """
    side = max(224, image.shape[0])
    background = np.asarray(Image.fromarray(image).convert("RGB").resize((side, side), Image.Resampling.NEAREST))
    heat = resize_occlusion_map(occlusion_map, side)
    stops = np.linspace(0, 1, len(VIRIDIS))
    colors = np.stack([np.interp(heat, stops, VIRIDIS[:, channel]) for channel in range(3)], 2)
    return np.rint(0.45 * background + 0.55 * colors).astype(np.uint8)
