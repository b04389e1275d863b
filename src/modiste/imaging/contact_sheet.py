"""Draw rows of images with titles as one PNG."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from modiste.imaging import png

GAP = 4
TITLE_WIDTH = 110
MIN_CELL = 56
"""Pixels a side of the cells of small images."""


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], side: int = MIN_CELL) -> bytes:
    """Draw rows of images, each behind its title; return a PNG file.

    Args:
        rows: title and images, uint8 [n, h, w] or [n, h, w, 3].
        side: pixels a side of a cell; smaller images are enlarged by nearest neighbor.
    """
    step = side + GAP
    columns = max(len(images) for _, images in rows)
    sheet = Image.new("RGB", (TITLE_WIDTH + columns * step + GAP, len(rows) * step + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(rows):
        top = GAP + row * step
        draw.text((GAP, top + side // 2), title, fill="black", anchor="lm")
        for column, image in enumerate(images):
            resampling = Image.Resampling.BICUBIC if max(images.shape[1:3]) > side else Image.Resampling.NEAREST
            cell = ImageOps.contain(Image.fromarray(image), (side, side), resampling)
            sheet.paste(ImageOps.expand(cell, 1, "gray"), (TITLE_WIDTH + column * step - 1, top - 1))
    return png.encode(np.asarray(sheet))
