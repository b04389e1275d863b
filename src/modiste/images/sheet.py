"""A contact sheet: rows of images with a title each, as one PNG."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

GAP = 4
TITLE_WIDTH = 110
MIN_CELL = 56
"""Pixels a side; smaller images are enlarged so that a person can see them."""


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> bytes:
    """Draw a contact sheet and return it as a PNG file.

    Args:
        rows: title and images, uint8 [n, s, s] or [n, s, s, 3]; all of one size.
    """
    side = max(MIN_CELL, rows[0][1].shape[1])
    columns = max(len(images) for _, images in rows)
    size = (TITLE_WIDTH + columns * (side + GAP) + GAP, len(rows) * (side + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(rows):
        top = GAP + row * (side + GAP)
        draw.text((GAP, top + side // 2), title, fill="black", anchor="lm")
        for column, image in enumerate(images):
            cell = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(cell, (TITLE_WIDTH + column * (side + GAP), top))
    return png(np.asarray(sheet))


def png(image: NDArray[np.uint8]) -> bytes:
    """Return uint8 [h, w] or [h, w, 3] as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()
