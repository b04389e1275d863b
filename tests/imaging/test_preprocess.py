"""From any picture to the image that a network takes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.pictures import clothes, noise, saved
from modiste.errors import InputError
from modiste.imaging.contact_sheet import strip
from modiste.imaging.preprocess import stages, to_image


@pytest.mark.parametrize("size", [28, 40])
def test_a_gray_image_of_the_right_size_is_unchanged(size: int, tmp_path: Path) -> None:
    """Pixels, bytes and a path of one gray image on a dark background give that very image, byte for byte."""
    image = noise(size) // 2
    path = tmp_path / "image.png"
    path.write_bytes(saved(Image.fromarray(image)))
    for photo in (image, path, str(path), path.read_bytes(), np.stack([image] * 3, 2)):
        assert (to_image(photo, size, 1) == image).all()


def test_a_catalogue_shot_becomes_like_fashion_mnist() -> None:
    """A dark thing on white ends bright on black, centered, its longest edge as long as the image."""
    shot = Image.new("RGB", (400, 300), (253, 253, 253))
    shot.paste((40, 40, 40), (150, 50, 250, 250))
    image = to_image(saved(shot), 28, 1)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert (image[:, :7] == 0).all()
    assert (image[:, 21:] == 0).all()
    assert (image[:, 7:21] == 215).all()


def test_a_dark_background_is_not_negated() -> None:
    """A bright thing on black keeps its brightness."""
    shot = Image.new("RGB", (100, 100), "black")
    shot.paste((200, 200, 200), (40, 20, 60, 80))
    image = to_image(saved(shot), 28, 1)
    assert image[14, 14] == 200
    assert (image[:, 0] == 0).all()


def test_a_picture_of_one_color_is_an_even_image() -> None:
    """Where there is nothing to trim, nothing fails."""
    for color in ("white", "black", "gray"):
        image = to_image(saved(Image.new("RGB", (50, 30), color)), 28, 1)
        assert image.shape == (28, 28)


def test_rgb_is_the_whole_photo() -> None:
    """Both edges are resized, each by its own measure; nothing is cut."""
    photo = Image.new("RGB", (300, 100), "red")
    photo.paste("blue", (150, 0, 300, 100))
    image = to_image(saved(photo), 32, 3)
    assert image.shape == (32, 32, 3)
    assert (image[:, :14] == [255, 0, 0]).all()
    assert (image[:, 18:] == [0, 0, 255]).all()


def test_an_rgb_picture_of_the_right_size_is_unchanged() -> None:
    """A square photo of just the size passes through."""
    photo = clothes(48, 48)
    assert (to_image(saved(photo), 48, 3) == np.asarray(photo)).all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((28, 28), np.float32),
        np.zeros(28, np.uint8),
        np.zeros((28, 28, 4), np.uint8),
        np.zeros((2, 2), np.uint8),
    ],
)
def test_arrays_that_are_no_picture(pixels: np.ndarray) -> None:
    """Pixels of another type, rank or number are refused with what was given."""
    with pytest.raises(InputError, match=r"array|pixels"):
        to_image(pixels, 28, 1)


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        (1, ["picture", "trimmed", "scaled", "sharpened", "gray, on black"]),
        (3, ["picture", "square"]),
    ],
)
def test_the_stages_lead_to_the_image(channels: int, names: list[str]) -> None:
    """Each has its name, the last is what the network takes, and a strip draws them side by side."""
    photo = saved(clothes(300, 200))
    given = list(stages(photo, 28, channels))
    assert [name for name, _ in given] == names
    assert (np.asarray(given[-1][1]) == to_image(photo, 28, channels)).all()
    with Image.open(io.BytesIO(strip(given))) as drawn:
        assert drawn.size == (len(names) * 228 + 4, 252)


def test_an_image_of_the_right_size_has_one_stage() -> None:
    """A prepared image is not prepared again."""
    assert [name for name, _ in stages(noise(28) // 2, 28, 1)] == ["picture", "gray"]
