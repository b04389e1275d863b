"""Near-duplicates among many images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from helpers.photos import noise, saved
from modiste.data import fashion_mnist
from modiste.imaging import decode, near_duplicates, preprocess
from modiste.imaging.near_duplicates import find_near_duplicates

COUNT = 60


def shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move images; what leaves the frame is lost, what enters it is black."""
    side = images.shape[1]
    moved = np.zeros_like(images)
    ends = [(slice(max(by, 0), side + min(by, 0)), slice(max(-by, 0), side + min(-by, 0))) for by in (down, right)]
    (to_rows, from_rows), (to_columns, from_columns) = ends
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def brighten(images: np.ndarray, factor: float, offset: float = 0) -> np.ndarray:
    """Change the brightness; values are clipped."""
    return np.clip(images.astype(float) * factor + offset, 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identical": lambda images: images,
    "one pixel to the right": lambda images: shift(images, 0, 1),
    "one pixel up": lambda images: shift(images, -1, 0),
    "two pixels down": lambda images: shift(images, 2, 0),
    "two pixels up and left": lambda images: shift(images, -2, -2),
    "brighter by a third": lambda images: brighten(images, 1.3),
    "brighter by 40": lambda images: brighten(images, 1, 40),
    "darker": lambda images: brighten(images, 0.6),
    "mirrored": lambda images: images[:, :, ::-1],
    "mirrored and shifted": lambda images: shift(images[:, :, ::-1], 1, 2),
    "mirrored and brighter": lambda images: brighten(images[:, :, ::-1], 1.3),
}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """3,000 training images of Fashion-MNIST."""
    return fashion_mnist.source(28).part("train").load(np.arange(3000))


def test_every_planted_copy_is_found(images: np.ndarray) -> None:
    """All kinds of changes, each of other images; hardly anything else is a near-duplicate."""
    originals = np.arange(len(CHANGES) * COUNT).reshape(len(CHANGES), COUNT)
    copies = [change(images[rows]) for change, rows in zip(CHANGES.values(), originals, strict=True)]
    pairs = find_near_duplicates(np.concatenate([images, *copies]))
    by_pair = dict(zip(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True), pairs.flipped, strict=True))
    missed = {
        name: [int(row) for row in rows if (int(row), int(row) + len(images)) not in by_pair]
        for name, rows in zip(CHANGES, originals, strict=True)
    }
    assert missed == {name: [] for name in CHANGES}
    mirrored = originals[list(CHANGES).index("mirrored")]
    assert np.mean([by_pair[int(row), int(row) + len(images)] for row in mirrored]) > 0.9  # some are symmetric
    assert ((pairs.first < len(images)) & (pairs.second < len(images))).sum() < 10


def test_the_shift_is_given(images: np.ndarray) -> None:
    """Pixel (y + shift, x + shift) of the first image is pixel (y, x) of the second."""
    pairs = find_near_duplicates(np.concatenate([images[:1], shift(images[:1], 2, -1)]))
    assert pairs.shift.tolist() == [[-2, 1]]
    assert pairs.similarity.tolist() == pytest.approx([1])


def test_the_most_similar_come_first(images: np.ndarray) -> None:
    """So that a gallery of some shows the surest."""
    similarity = find_near_duplicates(np.concatenate([images[:200], brighten(images[:50], 1.2)])).similarity
    assert (np.diff(similarity) <= 0).all()


def test_many_identical_images_give_one_pair_each() -> None:
    """A thousand blank images are not half a million pairs."""
    pairs = find_near_duplicates(np.zeros((1000, 28, 28), np.uint8))
    assert pairs.first.tolist() == [0] * 999
    assert pairs.second.tolist() == list(range(1, 1000))


def test_other_images_are_no_pairs() -> None:
    """Noise, and a single image."""
    assert len(find_near_duplicates(np.stack([noise(28, seed) for seed in range(50)]))) == 0
    assert len(find_near_duplicates(noise()[None])) == 0


@pytest.mark.parametrize("side", [96, 224])
def test_photos_are_compared_in_gray_and_small(side: int) -> None:
    """Copies that are moved, brighter, mirrored or saved again are found, and no others."""
    files = sorted((Path(__file__).parents[1] / "photos").rglob("*.jpg"))
    photos = np.stack([preprocess.to_image(file, side, 3, resize_mode="letterbox") for file in files])
    moved = np.pad(photos, ((0, 0), (1, 0), (0, 1), (0, 0)), mode="edge")[:, :-1, 1:]
    again = np.stack([decode.decode_bytes(saved(Image.fromarray(photo), "JPEG", quality=50)) for photo in photos])
    pairs = find_near_duplicates(photos, moved, brighten(photos, 1, 30), photos[:, :, ::-1], again)
    n = len(photos)
    expected = {(row, row + n * copy) for copy in range(1, 5) for row in range(n)}
    assert expected <= set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert (pairs.first % n == pairs.second % n).all()


def draw_trousers(color: tuple[int, int, int], wider: int) -> np.ndarray:
    """Trousers on a background with bars, as a photo that was letterboxed has them."""
    photo = Image.new("RGB", (224, 224), (180, 175, 165))
    draw = ImageDraw.Draw(photo)
    draw.rectangle((28, 0, 195, 223), fill=(200, 195, 185))
    legs = [(160 + wider, 205), (125 + wider, 205), (112, 80), (99 - wider, 205), (64 - wider, 205)]
    draw.polygon([(70, 20), (154, 20), *legs], fill=color)
    return np.asarray(photo)


def test_clothes_of_one_outline_are_no_pair() -> None:
    """On the same background; a copy that is moved is one."""
    photos = np.stack([draw_trousers((30, 30, 60), 0), draw_trousers((120, 30, 50), 8)])
    assert len(find_near_duplicates(photos)) == 0
    assert len(find_near_duplicates(photos[:1], np.roll(photos[:1], (2, 2), (1, 2)))) == 1


def test_a_common_hash_is_no_reason_to_compare() -> None:
    """Of images that share a hash with hundreds of others, none is a candidate by its hash."""
    hashes = np.zeros(500, np.uint64)
    first, _ = near_duplicates._join(hashes, hashes, np.argsort(hashes))
    assert len(first) == 0
