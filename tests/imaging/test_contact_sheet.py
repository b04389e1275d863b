"""The contact sheet."""

import numpy as np

from modiste.imaging import decode
from modiste.imaging.contact_sheet import contact_sheet


def test_a_sheet_has_a_row_for_each_title() -> None:
    """Two titles of three images each make a PNG of two rows and three columns of enlarged cells."""
    rows = [(title, np.full((3, 28, 28), value, np.uint8)) for title, value in (("Bag", 10), ("Coat", 200))]
    sheet = decode.decode_bytes(contact_sheet(rows))
    assert sheet.shape == (2 * 60 + 4, 110 + 3 * 60 + 4, 3)
    assert (sheet[30, 140] == 10).all()
    assert (sheet[90, 250] == 200).all()


def test_photos_of_any_size_fit_their_cells() -> None:
    """A larger photo is reduced with its aspect ratio kept, and a smaller one is enlarged."""
    rows = [("photo", np.full((1, 400, 200, 3), 90, np.uint8)), ("image", np.full((1, 28, 28), 200, np.uint8))]
    sheet = decode.decode_bytes(contact_sheet(rows, side=224))
    assert sheet.shape == (2 * 228 + 4, 110 + 228 + 4, 3)
    assert (sheet[4:228, 110:222] == 90).all()
    assert (sheet[4:228, 224:] == 255).all()
    assert (sheet[232:456, 110:334] == 200).all()
