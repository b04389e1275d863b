"""From any photo to the image that a network takes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.photos import clothes, noise, saved
from modiste.errors import InputError
from modiste.imaging.preprocess import PhotoInput, as_photos, preprocessing_steps, to_image, to_photo


@pytest.mark.parametrize("size", [28, 40])
def test_a_gray_image_of_the_right_size_is_unchanged(size: int, tmp_path: Path) -> None:
    """Pixels, bytes and a path of one gray image on a dark background give that very image, byte for byte."""
    image = noise(size)
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


def test_without_a_black_background_a_gray_photo_is_only_scaled() -> None:
    """Dark clothes on white stay so, and nothing is trimmed."""
    shot = Image.new("RGB", (400, 300), "white")
    shot.paste((40, 40, 40), (100, 75, 300, 225))
    image = to_image(saved(shot), 28, 1, is_on_black=False)
    assert image.shape == (28, 28)
    assert (image[:6] == 255).all()
    assert (image[9:19, 9:19] == 40).all()


def test_a_photo_of_one_color_is_an_even_image() -> None:
    """Where there is nothing to trim, nothing fails."""
    for color in ("white", "black", "gray"):
        image = to_image(saved(Image.new("RGB", (50, 30), color)), 28, 1)
        assert image.shape == (28, 28)


def test_rgb_keeps_all_of_the_photo() -> None:
    """Both edges are resized, each by its own measure; nothing is cut."""
    photo = Image.new("RGB", (300, 100), "red")
    photo.paste("blue", (150, 0, 300, 100))
    image = to_image(saved(photo), 32, 3)
    assert image.shape == (32, 32, 3)
    assert (image[:, :14] == [255, 0, 0]).all()
    assert (image[:, 18:] == [0, 0, 255]).all()


def test_a_gray_photo_that_is_only_scaled_has_the_resize_mode() -> None:
    """As an RGB photo; one that is prepared as Fashion-MNIST was does not have it."""
    photo = np.full((20, 40), 255, np.uint8)
    photo[1:-1, 1:-1] = 40
    image = to_image(photo, 40, 1, is_on_black=False, resize_mode="letterbox")
    assert (image[10:30] == photo).all()
    assert (image[:10] == 255).all()
    on_black = [to_image(photo, 40, 1, resize_mode=mode) for mode in ("letterbox", "squash")]
    assert (on_black[0] == on_black[1]).all()


def test_an_rgb_photo_of_the_right_size_is_unchanged() -> None:
    """A square photo of just the size passes through."""
    photo = clothes(48, 48)
    assert (to_image(saved(photo), 48, 3) == np.asarray(photo)).all()


RGB = np.asarray(clothes(48, 40))
GRAY = RGB[:, :, 0]
ON_WHITE = np.concatenate([RGB, np.full((48, 40, 1), 255, np.uint8)], 2)


class Tensor:
    """An object with `__array__`, as a torch tensor, that is not an array itself."""

    shape = RGB.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return its values."""
        return RGB


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (io.BytesIO(saved(clothes(48, 40))), RGB),
        (bytearray(saved(clothes(48, 40))), RGB),
        (Image.fromarray(GRAY).convert("LA"), GRAY),
        (Tensor(), RGB),
        (RGB.astype(np.int64), RGB),
        (RGB.astype(np.uint16) * 257, RGB),
        ((RGB / 255).astype(np.float32), RGB),
        (RGB.astype(np.float64), RGB),
        (ON_WHITE, RGB),
        (np.stack([GRAY, np.zeros_like(GRAY)], 2), np.full_like(RGB, 255)),
        (GRAY[:, :, None], GRAY),
        (GRAY[None], GRAY),
        (GRAY > 127, (GRAY > 127) * np.uint8(255)),
        (Image.fromarray((GRAY / 255).astype(np.float32)), GRAY),
        (Image.fromarray(GRAY.astype(np.float32)), GRAY),
        (Image.fromarray(GRAY.astype(np.int32)), GRAY),
        (Image.fromarray(GRAY.astype(np.uint16) * 257), GRAY),
    ],
)
def test_one_photo_in_any_form(photo: PhotoInput, expected: np.ndarray) -> None:
    """Files, Pillow modes and arrays of any type give the same pixels, and count as one photo (fault 44)."""
    (only,) = as_photos(photo)
    expected = np.repeat(expected[:, :, None], 3, 2) if expected.ndim == 2 else expected
    assert (to_photo(only) == expected).all()


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (RGB.transpose(2, 0, 1), r"\[3, 48, 40\].*np.moveaxis"),
        (np.zeros((50, 784), np.uint8), r"\[50, 784\].*reshape\(-1, 28, 28\)"),
        (np.zeros(784, np.uint8), r"\[784\]"),
        (np.zeros((2, 2), np.uint8), "2 x 2 pixels"),
        ("no such file", "does not exist"),
        ("a\0b", "cannot be read|does not exist"),
        (np.full((28, 28), -1), "-1"),
        (np.full((28, 28), 300.0), "300"),
        (np.full((28, 28), np.nan), "nan"),
        (np.full((28, 28), "a"), "type <U1"),
        (Image.fromarray(np.full((28, 28), -1, np.float32)), "-1"),
        (io.StringIO("text"), "rb"),
        (io.BytesIO(b""), "empty"),
        (5, "int that is not an array of pixels"),
        (None, "type|array"),
    ],
)
def test_what_is_not_one_photo_is_one_error(photo: Any, message: str) -> None:
    """It is not split into rows, channels or bytes, and the message says what was expected (fault 44)."""
    (only,) = as_photos(photo)
    with pytest.raises(InputError, match=message):
        to_photo(only)


@pytest.mark.parametrize("photos", [np.zeros((4, 28, 28), np.uint8), np.zeros((4, 28, 28, 3), np.uint8), [GRAY] * 4])
def test_several_photos(photos: Any) -> None:
    """Arrays of images and lists are iterated over."""
    assert [to_photo(photo).shape[2] for photo in as_photos(photos)] == [3] * 4


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        (1, ["photo", "trimmed", "scaled", "sharpened", "gray, on black"]),
        (3, ["photo", "center crop"]),
    ],
)
def test_the_steps_end_with_the_image(channels: int, names: list[str]) -> None:
    """Each has its name, and the last is the input of the network."""
    photo = saved(clothes(300, 200))
    steps = list(preprocessing_steps(photo, 28, channels, resize_mode="center_crop"))
    assert [name for name, _ in steps] == names
    assert (np.asarray(steps[-1][1]) == to_image(photo, 28, channels, resize_mode="center_crop")).all()


def test_an_image_of_the_right_size_has_one_step() -> None:
    """A prepared image is not prepared again."""
    assert [name for name, _ in preprocessing_steps(noise(28), 28, 1)] == ["photo", "gray"]
