"""Cut the garment or object out of a photo, and put it on another background.

For the training photos of the bundled model alone: a network that sees every shirt on a floor and every person without
a shirt takes floor and person for the class.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MASK_SIDE = 120
"""Longer side in pixels at which photos are segmented: GrabCut takes a second at full size."""

MIN_AREA, MAX_AREA, MAX_BORDER = 0.08, 0.8, 0.25
"""Shares of the photo, and of its border, that an object may cover; others were not segmented well."""

WHITE = 232

Photo = NDArray[np.uint8]
Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object: its pixels, uint8 [h, w, 3], and the opacity of each, float32 [h, w] from 0 to 1."""

    pixels: Photo
    opacity: Mask

    def resized(self, height: int, width: int) -> "Cutout":
        """Return the object at another size in pixels."""
        filter_ = cv2.INTER_AREA if height < len(self.pixels) else cv2.INTER_LINEAR
        size = (max(1, width), max(1, height))
        return Cutout(
            np.asarray(cv2.resize(self.pixels, size, interpolation=filter_), np.uint8),
            np.asarray(cv2.resize(self.opacity, size, interpolation=filter_), np.float32),
        )


def cut_out(photo: Photo) -> Cutout | None:
    """Cut the object out of a photo, uint8 [h, w, 3]; None where it does not stand out from what is around it."""
    height, width = photo.shape[:2]
    scale = MASK_SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    is_on_white = (_border(small).min(1) > WHITE).mean() > 0.6
    mask = _not_white(small) if is_on_white else _without_holes(_largest_parts(_grab_cut(small)))
    is_plausible = MIN_AREA < mask.mean() < MAX_AREA and (is_on_white or _border(mask).mean() < MAX_BORDER)
    if not is_plausible:
        return None
    enlarged = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    # narrower than the mask by a pixel, so that no old background is left at the edge
    opacity = np.clip((cv2.GaussianBlur(enlarged, (0, 0), 1.2) - 0.45) * 2.2, 0, 1)
    rows, columns = np.flatnonzero(opacity.max(1) > 0.5), np.flatnonzero(opacity.max(0) > 0.5)
    if min(len(rows), len(columns)) < 8:
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(photo[box], opacity[box])


def paste(background: NDArray[np.float32], cutout: Cutout, top: int, left: int) -> None:
    """Draw an object onto a background, floats [h, w, 3], in place; what is beyond its edges is left out."""
    rows, rows_inside = _overlap(top, cutout.opacity.shape[0], background.shape[0])
    columns, columns_inside = _overlap(left, cutout.opacity.shape[1], background.shape[1])
    opacity = cutout.opacity[rows_inside, columns_inside, None]
    region = background[rows, columns]
    region[:] = region * (1 - opacity) + cutout.pixels[rows_inside, columns_inside] * opacity


def _overlap(start: int, length: int, limit: int) -> tuple[slice, slice]:
    """Return the part of start : start + length that is within 0 : limit, and which part of the length that is."""
    first, end = min(max(0, start), limit), min(max(0, start + length), limit)
    return slice(first, end), slice(first - start, end - start)


def _border(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of the outermost rows and columns: [n, 3], or [n] of a mask."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _not_white(photo: Photo) -> NDArray[np.uint8]:
    """Return 1 where a pixel is not part of the white area around the object."""
    is_white = np.pad((photo.min(2) > WHITE).astype(np.uint8), 1, constant_values=1)
    return 1 - _flooded(is_white)


def _grab_cut(photo: Photo) -> NDArray[np.uint8]:
    """Segment the object in the middle by its colors (Rother, Kolmogorov and Blake 2004): 1 for the object."""
    height, width = photo.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    inner = np.s_[round(0.08 * height) : round(0.92 * height), round(0.08 * width) : round(0.92 * width)]
    mask[inner] = cv2.GC_PR_FGD
    edge = np.ones_like(mask, bool)
    edge[3:-3, 3:-3] = False
    mask[edge] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(photo[:, :, ::-1].copy(), mask, (0, 0, 1, 1), *models, 4, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _largest_parts(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the parts of a mask that are not much smaller than its largest one."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(opened)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas > 0.15 * areas.max(initial=0))
    closed = cv2.morphologyEx(np.isin(parts, large).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(closed, np.uint8)


def _without_holes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill what the mask encloses."""
    return 1 - _flooded(np.pad(1 - mask, 1, constant_values=1))


def _flooded(padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 1 where ones are connected to the first pixel, without the padding of one pixel."""
    flooded = padded.copy()
    cv2.floodFill(flooded, None, (0, 0), 2)
    return np.asarray(flooded[1:-1, 1:-1] == 2, np.uint8)
