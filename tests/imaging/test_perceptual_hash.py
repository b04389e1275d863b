"""The perceptual hash of many images."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from helpers.photos import clothes
from modiste.data import fashion_mnist
from modiste.imaging.perceptual_hash import hash_frequencies, low_frequencies, phash, to_gray


def reference(image: np.ndarray) -> int:
    """The hash of the library imagehash, as a number."""
    return int(str(imagehash.phash(Image.fromarray(image))), 16)


def test_fashion_mnist_has_the_hashes_of_imagehash() -> None:
    """Each of the 64 bits of 300 images."""
    images = fashion_mnist.source(28).part("test").load(np.arange(300))
    assert phash(images).tolist() == [reference(image) for image in images]


@pytest.mark.parametrize("side", [16, 32, 50])
def test_other_sizes_and_colors_have_the_hashes_of_imagehash(side: int) -> None:
    """Smaller and larger images, in RGB."""
    noise = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), dtype=np.uint8)
    photo = np.asarray(clothes().resize((side, side)))
    images = np.concatenate([noise, photo[None]])
    assert phash(images).tolist() == [reference(image) for image in images]


def test_gray_is_that_of_pillow() -> None:
    """For all sums of weights, so that hashes of RGB images are the same."""
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    assert np.array_equal(to_gray(images), expected)


def test_mirror_images_have_the_coefficients_with_other_signs() -> None:
    """So that they need no second transform."""
    images = fashion_mnist.source(28).part("test").load(np.arange(100))
    signs = np.where(np.arange(8) % 2, -1, 1)
    hashes = hash_frequencies((low_frequencies(images) * signs).astype(np.float32))
    assert (hashes == phash(images[:, :, ::-1])).mean() > 0.95  # a coefficient at the median may round either way
