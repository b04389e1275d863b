"""Which photos show an image of Fashion-MNIST, decided by their content."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.photos import saved
from modiste.data import fashion_mnist
from modiste.imaging.fashion_mnist_like import original_image
from modiste.imaging.preprocess import to_image, to_photo

TEST_IMAGES = fashion_mnist.source(28).part("test").load(np.arange(50))
PHOTOS = sorted((Path(__file__).parents[1] / "photos").rglob("*.jpg"))[::3]


def enlarged(factor: int, resampling: Image.Resampling) -> Callable[[np.ndarray], Image.Image]:
    """Return a function that enlarges an image, uint8 [28, 28], by a factor."""
    return lambda image: Image.fromarray(image).resize((28 * factor, 28 * factor), resampling)


def padded(*margins: int) -> Callable[[np.ndarray], Image.Image]:
    """Return a function that pads an image with black on all sides, before and after."""
    return lambda image: Image.fromarray(np.pad(image, margins))


COPIES = {
    "28": (padded(0), 0),
    "32": (padded(2), 0),
    "31": (padded(1, 2), 0),
    "40": (padded(6), 0),
    **{f"x{factor}": (enlarged(factor, Image.Resampling.NEAREST), 0) for factor in (2, 3, 4)},
    **{f"x{factor} bilinear": (enlarged(factor, Image.Resampling.BILINEAR), 3.5) for factor in (2, 3, 4)},
    **{f"x{factor} bicubic": (enlarged(factor, Image.Resampling.BICUBIC), 6) for factor in (2, 3, 4)},
}
"""How a copy is made, and the largest mean difference of its restored pixels from the original's."""


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_restored(copy: str) -> None:
    """Enlarged or padded, saved as PNG, it is recognized and becomes the original image again, or nearly."""
    change, tolerance = COPIES[copy]
    for original in TEST_IMAGES:
        file = saved(change(original))
        assert original_image(to_photo(file), 28) is not None
        assert np.abs(to_image(file, 28, 1).astype(int) - original).mean() <= tolerance


@pytest.mark.parametrize("kind", ["L", "RGB"])
@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_saved_as_jpeg_is_recognized(copy: str, kind: str) -> None:
    """The errors of JPEG at quality 90 do not matter, in gray or in color."""
    files = [saved(COPIES[copy][0](image).convert(kind), "JPEG", quality=90) for image in TEST_IMAGES]
    assert np.mean([original_image(to_photo(file), 28) is not None for file in files]) >= 0.98


GRAY_PHOTOS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda photo: photo,
    "gray": lambda photo: photo.convert("L"),
    "gray, on black": lambda photo: photo.convert("L").point(lambda level: 255 - level),
    "gray, at night": lambda photo: photo.convert("L").point(lambda level: level * 0.15),
    "gray, 64 pixels, on black": lambda photo: photo.resize((64, 64)).convert("L").point(lambda level: 255 - level),
}


@pytest.mark.parametrize("change", GRAY_PHOTOS)
def test_a_photo_is_not_one(change: str) -> None:
    """A photo has more detail, or colors, or a bright background, or nothing bright."""
    assert PHOTOS
    for path in PHOTOS:
        assert original_image(to_photo(saved(GRAY_PHOTOS[change](Image.open(path)))), 28) is None


def test_on_white_every_size_is_inverted() -> None:
    """28 x 28 pixels on white are prepared as the same image with a margin of one pixel is."""
    for image in 255 - TEST_IMAGES[:10]:
        larger = np.pad(image, 1, constant_values=255)
        assert (to_image(image, 28, 1) == to_image(larger, 28, 1)).all()
