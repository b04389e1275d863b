"""Images as PNG files."""

import base64

import numpy as np

from modiste.imaging import decode, png


def test_a_png_file_has_every_pixel() -> None:
    """An image that is encoded reads back the same, also from a data URL."""
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    content = png.encode(image)
    assert (decode.decode_bytes(content)[:, :, 0] == image).all()
    assert base64.b64decode(png.data_url(image).removeprefix("data:image/png;base64,")) == content
