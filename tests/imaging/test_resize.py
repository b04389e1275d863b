"""The three ways to make a photo square."""

from typing import get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from helpers.photos import clothes, exif, saved
from modiste.imaging.preprocess import to_image, to_photo
from modiste.imaging.resize import RESIZE_MODES
from modiste.recipes.config import DataConfig

RED, BLUE = (200, 0, 0), (0, 0, 200)
HALF_RED = np.array([[RED, RED, BLUE, BLUE]] * 2, np.uint8)
MOSTLY_RED = np.array([[RED, RED, RED, BLUE]] * 2, np.uint8)


def resize(mode: str, pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an array as a photo."""
    return np.asarray(RESIZE_MODES[mode](Image.fromarray(np.ascontiguousarray(pixels)), size))


def test_the_setting_has_these_values() -> None:
    """`data.resize_mode` takes the keys, and by default squashes, as older versions did."""
    assert get_args(get_type_hints(DataConfig)["resize_mode"]) == tuple(RESIZE_MODES)
    assert DataConfig().resize_mode == "squash"


@pytest.mark.parametrize("channels", [1, 3])
def test_letterbox_keeps_all_pixels_and_adds_two_bars(channels: int) -> None:
    """A 4 x 2 photo, or 2 x 4, lies in the middle of a 4 x 4 image; the bars have the color of most of its edge."""
    photo = MOSTLY_RED if channels == 3 else MOSTLY_RED[:, :, 0]
    image = resize("letterbox", photo, 4)
    assert (image[1:3] == photo).all()
    assert (image[[0, 3]] == photo[0, 0]).all()
    assert (resize("letterbox", photo.swapaxes(0, 1), 4) == image.swapaxes(0, 1)).all()


def test_the_colors_of_the_bars_are_medians_of_each_channel() -> None:
    """Where half of the edge is red and half blue, the median of each channel is the mean of both."""
    assert (resize("letterbox", HALF_RED, 4)[[0, 3]] == [100, 0, 100]).all()


def test_center_crop_cuts_both_ends() -> None:
    """Of a 4 x 2 photo, the 2 x 2 pixels in the middle remain."""
    photo = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert (resize("center_crop", photo, 2) == photo[:, 1:3]).all()
    assert (resize("center_crop", photo.swapaxes(0, 1), 2) == photo[:, 1:3].swapaxes(0, 1)).all()


def test_squash_scales_each_side() -> None:
    """A 4 x 2 photo, red and blue, becomes 2 x 2 pixels: a red column and a blue one, each a little of the other."""
    image = resize("squash", HALF_RED, 2).astype(int)
    assert np.abs(image - [[RED, BLUE]] * 2).max() < 20


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_a_square_photo_of_the_right_size_is_unchanged(mode: str) -> None:
    """It passes through."""
    photo = np.asarray(clothes(48, 48))
    assert (resize(mode, photo, 48) == photo).all()


@pytest.mark.parametrize("size", [1, 8, 29, 240])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_an_extreme_aspect_ratio_is_an_image(mode: str, size: int) -> None:
    """At least one row of pixels remains of it."""
    photo = np.full((1, 10_000, 3), (10, 20, 30), np.uint8)
    for each in (photo, photo.swapaxes(0, 1)):
        image = resize(mode, each, size)
        assert image.shape == (size, size, 3)
        assert (image == (10, 20, 30)).all()


@pytest.mark.parametrize("size", [28, 29])
@pytest.mark.parametrize("shape", [(60, 40), (60, 41), (41, 60), (59, 58), (37, 200)])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_a_mirrored_photo_is_a_mirrored_image(mode: str, shape: tuple[int, int], size: int) -> None:
    """Left to right and top to bottom, to the last bit, for even and odd sizes."""
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image = resize(mode, photo, size)
    assert (resize(mode, photo[:, ::-1], size) == image[:, ::-1]).all()
    assert (resize(mode, photo[::-1], size) == image[::-1]).all()


@pytest.mark.parametrize("width", [8, 31, 48, 61, 90, 95])
@pytest.mark.parametrize("size", [28, 29])
def test_letterbox_keeps_the_aspect_ratio(width: int, size: int) -> None:
    """The shorter side has at most one pixel more or less than its exact length, and the bars are equal."""
    photo = np.random.default_rng(0).integers(0, 256, (96, width, 3), np.uint8)
    is_bar = (np.ptp(resize("letterbox", photo, size), axis=0) == 0).all(1)
    assert abs((~is_bar).sum() - size * width / 96) <= 1
    assert (is_bar == is_bar[::-1]).all()


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_a_photo_with_exif_orientation_is_like_the_upright_one(mode: str) -> None:
    """It is turned before it is resized."""
    upright = clothes(48, 30)
    turned = saved(upright.transpose(Image.Transpose.ROTATE_90), exif=exif(6))
    assert (to_photo(turned) == np.asarray(upright)).all()
    images = [to_image(photo, 28, 3, resize_mode=mode) for photo in (turned, saved(upright))]
    assert (images[0] == images[1]).all()
