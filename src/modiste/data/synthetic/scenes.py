"""Draw random shapes and lines as training images of the class "none of these".

They are for training only: accuracy on them says little about accuracy on photos of other things.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from modiste.data.synthetic.photo_like import draw_background


def draw_scenes(count: int, size: int, seed: int) -> NDArray[np.uint8]:
    """Draw RGB scenes of random shapes: uint8 [count, size, size, 3].

    Each has a random stream of its own, so that a larger count does not change the first ones.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        random = np.random.default_rng((seed, index))
        is_white = random.random() < 0.3  # as drawings and icons are
        background = np.full((size, size, 3), 255.0) if is_white else draw_background(size, random)
        scene = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
        _draw_random_shapes(scene, 12, -0.1, random)
        blurred = np.asarray(scene.filter(ImageFilter.GaussianBlur(random.uniform(0, size / 80))), np.float64)
        images[index] = np.clip(blurred + random.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)
    return images


def draw_shapes(count: int, seed: int) -> NDArray[np.uint8]:
    """Draw random shapes in the style of Fashion-MNIST, bright on black: uint8 [count, 28, 28].

    Made photo-like as images of Fashion-MNIST are, they teach a network not to recognize a sandal by the look of an
    enlarged small image.
    """
    images = np.empty((count, 28, 28), np.uint8)
    for index in range(count):
        image = Image.new("RGB", (4 * 28, 4 * 28))  # reduced below, so that edges are smooth
        # the third number makes another stream than `make_photo_like` uses for this image
        _draw_random_shapes(image, 4, 0.05, np.random.default_rng((seed, index, 1)))
        images[index] = np.asarray(image.convert("L").reduce(4))
    return images


def _draw_random_shapes(image: Image.Image, max_count: int, margin: float, random: np.random.Generator) -> None:
    """Draw up to `max_count` shapes between two random points each, which are a share `margin` inside the edges."""
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(1, max_count + 1)):
        kind = random.integers(4)
        corners = random.uniform(margin, 1 - margin, (2, 2)) * image.width
        if kind < 2:
            draw_box = draw.ellipse if kind == 0 else draw.rectangle
            box = (*corners.min(0).tolist(), *corners.max(0).tolist())
            draw_box(box, fill=_color(random), outline=_color(random), width=int(random.integers(0, 5)))
        elif kind == 2:
            draw.polygon(_polygon(corners, random), fill=_color(random))
        else:
            draw.line(corners.ravel().tolist(), fill=_color(random), width=int(random.integers(1, 12)))


def _polygon(corners: NDArray[np.float64], random: np.random.Generator) -> list[float]:
    """Return x and y of 3 to 8 points around the center of a box, one after the other."""
    center, radius = corners.mean(0), np.ptp(corners) / 2
    angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
    distances = radius * random.uniform(0.3, 1, (len(angles), 1))
    points = center + distances * np.stack([np.cos(angles), np.sin(angles)], 1)
    return list(points.ravel().tolist())


def _color(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(random.integers(0, 256, 3).tolist())
