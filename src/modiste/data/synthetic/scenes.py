"""Pictures of nothing to wear: shapes and lines, to learn "none of these" from.

They are no measurement either: that a network knows them for what they are says little about other pictures.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from modiste.data.synthetic.photo_like import background

MOST, FEW = 12, 4
"""Shapes in a scene, and in a thing."""

PLAIN = 0.3
"""Share of the scenes on white, as drawings and icons are."""

CATALOGUE, FINE = 28, 4
"""Pixels a side of a thing, and how many times as many it is drawn with."""


def scenes(count: int, size: int, seed: int) -> NDArray[np.uint8]:
    """Draw scenes: uint8 [count, size, size, 3]; each has its own random stream, so that more of them change none."""
    made = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        made[index] = _one(size, np.random.default_rng((seed, index)))
    return made


def things(count: int, seed: int) -> NDArray[np.uint8]:
    """Draw things as Fashion-MNIST would have them, bright on black: uint8 [count, 28, 28]; streams as `scenes`.

    Made photo-like as the garments of Fashion-MNIST are, they teach a network that it is not for its looks, of a small
    picture that was enlarged, that one of these is a sandal.
    """
    made = np.empty((count, CATALOGUE, CATALOGUE), np.uint8)
    for index in range(count):
        random = np.random.default_rng((seed, index, 1))  # not the stream that it is made photo-like with
        thing = Image.new("RGB", (FINE * CATALOGUE, FINE * CATALOGUE))
        draw = ImageDraw.Draw(thing)
        for _ in range(random.integers(1, FEW + 1)):
            shape = SHAPES[random.integers(len(SHAPES))]
            shape(draw, random.uniform(0.05, 0.95, (2, 2)) * thing.width, random)
        made[index] = np.asarray(thing.convert("L").reduce(FINE))
    return made


def _one(size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    ground = np.full((size, size, 3), 255.0) if random.random() < PLAIN else background(size, random)
    scene = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(scene)
    for _ in range(random.integers(1, MOST + 1)):
        shape = SHAPES[random.integers(len(SHAPES))]
        shape(draw, random.uniform(-0.1, 1.1, (2, 2)) * size, random)
    blurred = np.asarray(scene.filter(ImageFilter.GaussianBlur(random.uniform(0, size / 80))), np.float64)
    return np.clip(blurred + random.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)


def _ellipse(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.ellipse(_box(corners), fill=_color(random), outline=_color(random), width=int(random.integers(0, 5)))


def _rectangle(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.rectangle(_box(corners), fill=_color(random), outline=_color(random), width=int(random.integers(0, 5)))


def _polygon(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    middle, reach = corners.mean(0), np.ptp(corners) / 2
    angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
    points = middle + reach * random.uniform(0.3, 1, (len(angles), 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    draw.polygon([tuple(point) for point in points.tolist()], fill=_color(random))


def _line(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.line([tuple(point) for point in corners.tolist()], fill=_color(random), width=int(random.integers(1, 12)))


SHAPES: tuple[Callable[[ImageDraw.ImageDraw, NDArray[np.float64], np.random.Generator], None], ...] = (
    _ellipse,
    _rectangle,
    _polygon,
    _line,
)


def _box(corners: NDArray[np.float64]) -> tuple[float, float, float, float]:
    left, top = corners.min(0).tolist()
    right, bottom = corners.max(0).tolist()
    return left, top, right, bottom


def _color(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue
