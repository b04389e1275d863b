"""Make photo-like training images from images of Fashion-MNIST: enlarged, inverted, colored, on a random background.

The images of Fashion-MNIST are inverted product photos on white, 28 pixels a side (Xiao et al. 2017). The results train
the classes that a collection of photos lacks; they are not used for evaluation.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

GARMENT_LEVEL = 30
"""Gray level of an image of Fashion-MNIST above which a pixel is part of the garment."""


def make_photo_like(images: NDArray[np.uint8], size: int, seed: int) -> NDArray[np.uint8]:
    """Make a photo-like image of each image: uint8 [n, size, size, 3].

    Args:
        images: uint8 [n, s, s], bright on black.
        size: pixels a side of the results.
        seed: of the random streams, one per image, so that more images do not change the first ones.
    """
    results = np.empty((len(images), size, size, 3), np.uint8)
    for index, image in enumerate(images):
        results[index] = _make_one_photo_like(image, size, np.random.default_rng((seed, index)))
    return results


def _make_one_photo_like(image: NDArray[np.uint8], size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    image = np.pad(image, 2)  # margin for the rotation and the filters
    side = round(size * random.uniform(0.6, 1.0))
    degrees = random.uniform(-15, 15)
    garment = _enlarge(Image.fromarray(255 - image), side, degrees, fill=255)
    # closing adds dark pixels inside the garment to its mask
    bright = Image.fromarray(np.where(image > GARMENT_LEVEL, 255, 0).astype(np.uint8))
    closed = bright.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3))
    mask = _enlarge(closed, side, degrees, fill=0)[:, :, None] / 255
    left, top = random.integers(0, size - side + 1, 2)
    photo = draw_background(size, random)
    region = photo[top : top + side, left : left + side]
    region[:] = region * (1 - mask) + _tint(garment, random) * mask
    return np.clip(photo + random.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


def _enlarge(image: Image.Image, side: int, degrees: float, fill: int) -> NDArray[np.float64]:
    larger = image.resize((side, side), Image.Resampling.BICUBIC)
    rotated = larger.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(rotated.filter(ImageFilter.GaussianBlur(side / 90)), np.float64)


def _tint(garment: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Multiply gray levels [s, s] by a random color: [s, s, 3]."""
    color = random.uniform(0.35, 1.0, 3) ** random.uniform(0.3, 1.0)
    tinted: NDArray[np.float64] = garment[:, :, None] * color
    return tinted


def draw_background(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a gradient between two colors in a random direction, with coarse noise: [size, size, 3], about 0 to 255."""
    first = random.uniform(60, 250) + random.normal(0, 15, 3)
    second = first + random.normal(0, 25, 3)
    x, y = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    angle = random.uniform(0, 2 * np.pi)
    weight = (np.cos(angle) * x + np.sin(angle) * y + 1.5)[:, :, None] / 3
    noise = Image.fromarray(random.integers(0, 256, (6, 6), dtype=np.uint8))
    stains = np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC), np.float64)[:, :, None] - 128
    background: NDArray[np.float64] = first * (1 - weight) + second * weight + stains * random.uniform(0, 0.25)
    return background
