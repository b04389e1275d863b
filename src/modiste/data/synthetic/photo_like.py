"""Make photo-like training images from images of Fashion-MNIST: enlarged, inverted, colored, on a random background.

They are for training only: evaluation uses photos.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter


def make_photo_like(images: NDArray[np.uint8], size: int, seed: int) -> NDArray[np.uint8]:
    """Make a photo-like image, uint8 [n, size, size, 3], of each image, uint8 [n, s, s], bright on black.

    Each has a random stream of its own, so that more images do not change the first ones.
    """
    photos = [_photo_from_image(image, size, np.random.default_rng((seed, i))) for i, image in enumerate(images)]
    return np.array(photos, np.uint8).reshape(-1, size, size, 3)


def _photo_from_image(image: NDArray[np.uint8], size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    image = np.pad(image, 2)  # margin for the rotation and the filters
    side = round(size * random.uniform(0.6, 1.0))
    degrees = random.uniform(-15, 15)
    garment = _enlarge(Image.fromarray(255 - image), side, degrees, fill=255)
    # pixels above 30 are part of the garment, and closing adds dark ones inside it
    bright = Image.fromarray(np.where(image > 30, 255, 0).astype(np.uint8))
    closed = bright.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3))
    mask = _enlarge(closed, side, degrees, fill=0) / 255
    left, top = random.integers(0, size - side + 1, 2)
    photo = draw_background(size, random)
    region = photo[top : top + side, left : left + side]
    color = random.uniform(0.35, 1.0, 3) ** random.uniform(0.3, 1.0)
    region[:] = region * (1 - mask) + garment * color * mask
    return np.clip(photo + random.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


def _enlarge(image: Image.Image, side: int, degrees: float, fill: int) -> NDArray[np.float64]:
    """Resize, rotate and blur a gray image: [side, side, 1]."""
    larger = image.resize((side, side), Image.Resampling.BICUBIC)
    rotated = larger.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(rotated.filter(ImageFilter.GaussianBlur(side / 90)), np.float64)[:, :, None]


def draw_background(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a gradient between two colors in a random direction, with coarse noise: [size, size, 3], about 0 to 255."""
    first = random.uniform(60, 250) + random.normal(0, 15, 3)
    second = first + random.normal(0, 25, 3)
    x, y = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    angle = random.uniform(0, 2 * np.pi)
    weight = (np.cos(angle) * x + np.sin(angle) * y + 1.5)[:, :, None] / 3
    noise = Image.fromarray(random.integers(0, 256, (6, 6), dtype=np.uint8))
    stains = np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC), np.float64)[:, :, None] - 128
    return np.asarray(first * (1 - weight) + second * weight + stains * random.uniform(0, 0.25))
