"""Draw random shapes and lines as training images of the class "none of these".

They are for training only: accuracy on them says little about accuracy on photos of other things.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from modiste.data.synthetic.photo_like import draw_background

MAX_SCENE_SHAPES, MAX_IMAGE_SHAPES = 12, 4
"""Shapes in a scene, and in an image like those of Fashion-MNIST."""

WHITE_PROBABILITY = 0.3
"""Share of the scenes on white, as drawings and icons have it."""

IMAGE_SIDE, OVERSAMPLING = 28, 4
"""Pixels a side of an image like those of Fashion-MNIST, and the factor by which it is drawn larger."""


def draw_scenes(count: int, size: int, seed: int) -> NDArray[np.uint8]:
    """Draw RGB scenes of random shapes: uint8 [count, size, size, 3].

    Args:
        count: number of scenes.
        size: pixels a side.
        seed: of the random streams, one per scene, so that a larger count does not change the first ones.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        images[index] = _draw_scene(size, np.random.default_rng((seed, index)))
    return images


def draw_shapes(count: int, seed: int) -> NDArray[np.uint8]:
    """Draw random shapes in the style of Fashion-MNIST, bright on black: uint8 [count, 28, 28].

    Made photo-like as images of Fashion-MNIST are, they teach a network not to recognize a sandal by the look of an
    enlarged small image.

    Args:
        count: number of images.
        seed: as `draw_scenes`.
    """
    images = np.empty((count, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    for index in range(count):
        random = np.random.default_rng((seed, index, 1))  # another stream than `make_photo_like` uses for this image
        canvas = Image.new("RGB", (OVERSAMPLING * IMAGE_SIDE, OVERSAMPLING * IMAGE_SIDE))
        draw = ImageDraw.Draw(canvas)
        for _ in range(random.integers(1, MAX_IMAGE_SHAPES + 1)):
            draw_shape = SHAPES[random.integers(len(SHAPES))]
            draw_shape(draw, random.uniform(0.05, 0.95, (2, 2)) * canvas.width, random)
        images[index] = np.asarray(canvas.convert("L").reduce(OVERSAMPLING))
    return images


def _draw_scene(size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    is_white = random.random() < WHITE_PROBABILITY
    background = np.full((size, size, 3), 255.0) if is_white else draw_background(size, random)
    scene = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(scene)
    for _ in range(random.integers(1, MAX_SCENE_SHAPES + 1)):
        draw_shape = SHAPES[random.integers(len(SHAPES))]
        draw_shape(draw, random.uniform(-0.1, 1.1, (2, 2)) * size, random)
    blurred = np.asarray(scene.filter(ImageFilter.GaussianBlur(random.uniform(0, size / 80))), np.float64)
    return np.clip(blurred + random.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)


def _draw_ellipse(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.ellipse(
        _bounding_box(corners),
        fill=_random_color(random),
        outline=_random_color(random),
        width=int(random.integers(0, 5)),
    )


def _draw_rectangle(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.rectangle(
        _bounding_box(corners),
        fill=_random_color(random),
        outline=_random_color(random),
        width=int(random.integers(0, 5)),
    )


def _draw_polygon(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    center, radius = corners.mean(0), np.ptp(corners) / 2
    angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
    points = center + radius * random.uniform(0.3, 1, (len(angles), 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    draw.polygon([tuple(point) for point in points.tolist()], fill=_random_color(random))


def _draw_line(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], random: np.random.Generator) -> None:
    draw.line(
        [tuple(point) for point in corners.tolist()], fill=_random_color(random), width=int(random.integers(1, 12))
    )


SHAPES: tuple[Callable[[ImageDraw.ImageDraw, NDArray[np.float64], np.random.Generator], None], ...] = (
    _draw_ellipse,
    _draw_rectangle,
    _draw_polygon,
    _draw_line,
)


def _bounding_box(corners: NDArray[np.float64]) -> tuple[float, float, float, float]:
    left, top = corners.min(0).tolist()
    right, bottom = corners.max(0).tolist()
    return left, top, right, bottom


def _random_color(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue
