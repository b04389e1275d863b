"""Cut-out objects and the training photos that are generated from them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

cv2 = pytest.importorskip("cv2")

from cutouts import Cutout, cut_out, paste  # noqa: E402
from generated_photos import GARMENTS, SIZE, Pool, generate, read_cutout  # noqa: E402
from photo_sets import Photo  # noqa: E402

HEIGHT, WIDTH = 160, 120
OBJECT = np.s_[40:120, 30:90]


def photo_of_square(ground: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A red square with some noise on a ground of gray levels [h, w]."""
    photo = np.repeat(ground[:, :, None], 3, 2)
    photo[OBJECT] = (200, 20, 20)
    return np.clip(photo + np.random.default_rng(0).normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", [120, 255])
def test_an_object_is_cut_out_of_its_ground(level: int) -> None:
    """On gray and on white: the box has the object's size within two pixels, and no ground is left in it."""
    cutout = cut_out(photo_of_square(np.full((HEIGHT, WIDTH), float(level))))
    assert cutout is not None
    assert np.allclose(cutout.opacity.shape, (80, 60), atol=4)
    assert cutout.opacity[5:-5, 5:-5].min() == 1
    assert cutout.pixels[cutout.opacity > 0.9][:, 1].mean() < 40


def test_a_photo_without_an_object_has_no_cutout() -> None:
    """An object that fills the photo is none."""
    assert cut_out(np.full((HEIGHT, WIDTH, 3), 40, np.uint8)) is None


@pytest.mark.parametrize(("top", "left", "drawn"), [(2, 3, 6), (-1, 0, 3), (9, 9, 1), (-3, -3, 0), (20, 20, 0)])
def test_an_object_beyond_the_edge_is_left_out(top: int, left: int, drawn: int) -> None:
    """Of 2 x 3 white pixels on 10 x 10 black ones, those inside are drawn."""
    background = np.zeros((10, 10, 3), np.float32)
    paste(background, Cutout(np.full((2, 3, 3), 255, np.uint8), np.ones((2, 3), np.float32)), top, left)
    assert (background == 255).all(2).sum() == drawn


def test_generated_photos_name_the_photos_that_they_are_made_of(tmp_path: Path) -> None:
    """Their garment, the person and the ground; the same ones with the same pixels each time."""
    photos = [
        Photo(tmp_path / "shirt.png", "shirt", "collection", "a"),
        Photo(tmp_path / "person.png", "coat", "shop-worn", "b"),
        Photo(tmp_path / "ground.png", "bag", "bag-phone", "c"),
    ]
    for index, photo in enumerate(photos):
        cv2.imwrite(str(photo.path), photo_of_square(np.full((HEIGHT, WIDTH), 90.0 + 20 * index)))
    square = cut_out(photo_of_square(np.full((HEIGHT, WIDTH), 120.0)))
    assert square is not None
    generated = list(generate(Pool(photos, {0: square, 1: square}), 3))
    counts = {name: sum(class_name == name for _, class_name, _ in generated) for name in GARMENTS}
    assert counts == {"t-shirt": 3, "pullover": 3, "dress": 3, "coat": 6, "shirt": 9}
    for pixels, class_name, parents in generated:
        assert pixels.shape == (SIZE, SIZE, 3)
        assert pixels.std() > 5
        assert (parents[:2] == [0, 1]) <= (class_name == "shirt")
    assert sum(parents[:2] == [0, 1] for *_, parents in generated) == 3
    assert any(2 in parents for *_, parents in generated)
    again = list(generate(Pool(photos, {0: square, 1: square}), 3))
    assert all(np.array_equal(first[0], second[0]) for first, second in zip(generated, again, strict=True))


def test_only_garments_are_cut_out(tmp_path: Path) -> None:
    """Not other objects, and not garments that are worn outdoors."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), photo_of_square(np.full((HEIGHT, WIDTH), 120.0)))
    for class_name, source, is_cut_out in (
        ("shirt", "collection", True),
        ("bag", "bag-phone", False),
        ("dress", "outdoors-worn", False),
    ):
        assert (read_cutout(Photo(path, class_name, source, "a")) is not None) == is_cut_out
