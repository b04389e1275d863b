"""Catalogue images made to look like photos: enlarged, inverted, colored, somewhere on a background.

The images of Fashion-MNIST are negatives of product shots on white, 28 pixels a side (Xiao et al. 2017). What is made
of them teaches a network the labels that a collection of photos lacks; it is no measurement on photos.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

GARMENT = 30
"""Brightness of a catalogue image from which on a pixel is surely garment."""


def photo_like(images: NDArray[np.uint8], size: int, seed: int) -> NDArray[np.uint8]:
    """Make a photo-like image of each catalogue image.

    Args:
        images: uint8 [n, s, s], bright on black.
        size: pixels a side of what is made.
        seed: of all that is random; each image has a random stream of its own, so that more images change none.

    Returns:
        uint8 [n, size, size, 3].
    """
    made = np.empty((len(images), size, size, 3), np.uint8)
    for index, image in enumerate(images):
        made[index] = _one(image, size, np.random.default_rng((seed, index)))
    return made


def _one(image: NDArray[np.uint8], size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    image = np.pad(image, 2)  # room to turn, and for the filters
    side = round(size * random.uniform(0.6, 1.0))
    turn = random.uniform(-15, 15)
    garment = _enlarged(Image.fromarray(255 - image), side, turn, fill=255)
    # a dark pixel inside a garment is garment too: its neighbors say so
    inside = Image.fromarray(np.where(image > GARMENT, 255, 0).astype(np.uint8))
    closed = inside.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3))
    mask = _enlarged(closed, side, turn, fill=0)[:, :, None] / 255
    left, top = random.integers(0, size - side + 1, 2)
    photo = background(size, random)
    place = photo[top : top + side, left : left + side]
    place[:] = place * (1 - mask) + _colored(garment, random) * mask
    return np.clip(photo + random.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


def _enlarged(image: Image.Image, side: int, turn: float, fill: int) -> NDArray[np.float64]:
    larger = image.resize((side, side), Image.Resampling.BICUBIC).rotate(turn, Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(larger.filter(ImageFilter.GaussianBlur(side / 90)), np.float64)


def _colored(garment: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Brightness [s, s] to colors [s, s, 3]: dark parts stay dark, bright ones take a tint."""
    tint = random.uniform(0.35, 1.0, 3) ** random.uniform(0.3, 1.0)
    colored: NDArray[np.float64] = garment[:, :, None] * tint
    return colored


def background(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A floor, a wall, a sheet: two colors that run into one another in a random direction, with coarse stains."""
    first = random.uniform(60, 250) + random.normal(0, 15, 3)
    second = first + random.normal(0, 25, 3)
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    angle = random.uniform(0, 2 * np.pi)
    share = (np.cos(angle) * across + np.sin(angle) * down + 1.5)[:, :, None] / 3
    stains = Image.fromarray(random.integers(0, 256, (6, 6), dtype=np.uint8))
    coarse = np.asarray(stains.resize((size, size), Image.Resampling.BICUBIC), np.float64)[:, :, None] - 128
    scene: NDArray[np.float64] = first * (1 - share) + second * share + coarse * random.uniform(0, 0.25)
    return scene
