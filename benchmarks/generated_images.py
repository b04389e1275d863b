"""Images that show nothing: noise, gradients, test patterns, shapes and text, of 27 to 64 pixels a side."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from modiste.imaging.preprocess import to_image

SIZES = (27, 28, 29, 30, 31, 32, 48, 64)
LETTERS = list("ABCDEFGHKLMNPRSTXYZ0123456789")

Random = np.random.Generator
Levels = NDArray[np.float64]


def _smooth(random: Random, side: int) -> Levels:
    few = random.integers(0, 256, (int(random.integers(2, 9)),) * 2).astype(np.uint8)
    return np.asarray(Image.fromarray(few).resize((side, side), Image.Resampling.BICUBIC), np.float64)


def _linear(random: Random, side: int) -> Levels:
    y, x = _axes(side)
    angle = random.uniform(0, 2 * np.pi)
    levels = np.cos(angle) * x + np.sin(angle) * y
    return np.asarray((levels - levels.min()) / np.ptp(levels) * 255)


def _radial(random: Random, side: int) -> Levels:
    y, x = _axes(side)
    distance = np.hypot(x - random.uniform(0.3, 0.7), y - random.uniform(0.3, 0.7))
    return np.asarray(255 * (1 - distance / distance.max()) ** random.uniform(0.5, 3))


def _checkerboard(random: Random, side: int) -> Levels:
    y, x = _axes(side)
    count = int(random.integers(2, 9))
    return np.asarray(255.0 * (((x * count).astype(int) + (y * count).astype(int)) % 2))


def _stripes(random: Random, side: int) -> Levels:
    y, x = _axes(side)
    angle = random.choice([0, np.pi / 2, random.uniform(0, np.pi)])
    wave = np.sin(2 * np.pi * random.uniform(2, 12) * (np.cos(angle) * x + np.sin(angle) * y) + random.uniform(0, 6))
    return np.asarray(127.5 + 127.5 * (np.sign(wave) if random.random() < 0.5 else wave))


def _bars(random: Random, side: int) -> Levels:
    return np.broadcast_to(np.linspace(255, 0, 8)[(_axes(side)[1][0] * 7.99).astype(int)], (side, side))


def _drawn(draw: Callable[[ImageDraw.ImageDraw, Random, int], None]) -> Callable[[Random, int], Levels]:
    def make(random: Random, side: int) -> Levels:
        image = Image.new("L", (side, side), 0)
        draw(ImageDraw.Draw(image), random, side)
        return np.asarray(image, np.float64)

    return make


def _rectangles(draw: ImageDraw.ImageDraw, random: Random, side: int) -> None:
    for _ in range(random.integers(1, 4)):
        draw.rectangle(_box(random, side), fill=int(random.integers(80, 256)))


def _ellipses(draw: ImageDraw.ImageDraw, random: Random, side: int) -> None:
    for _ in range(random.integers(1, 4)):
        draw.ellipse(_box(random, side), fill=int(random.integers(80, 256)))


def _lines(draw: ImageDraw.ImageDraw, random: Random, side: int) -> None:
    for _ in range(random.integers(1, 12)):
        ends = [int(value) for value in random.integers(0, side, 4)]
        draw.line(ends, fill=int(random.integers(80, 256)), width=int(random.integers(1, 4)))


def _text(draw: ImageDraw.ImageDraw, random: Random, side: int) -> None:
    text = "".join(random.choice(LETTERS, int(random.integers(1, 4))))
    font = ImageFont.load_default(size=int(random.uniform(0.4, 1.0) * side))
    draw.text((side / 2, side / 2), text, fill=255, anchor="mm", font=font)


KINDS: dict[str, Callable[[Random, int], Levels]] = {
    "uniform noise": lambda random, side: random.uniform(0, 256, (side, side)),
    "normal noise": lambda random, side: random.normal(random.uniform(30, 225), random.uniform(10, 80), (side, side)),
    "smooth noise": _smooth,
    "sparse noise": lambda random, side: np.where(random.random((side, side)) < random.uniform(0.02, 0.5), 255.0, 0.0),
    "linear gradient": _linear,
    "radial gradient": _radial,
    "checkerboard": _checkerboard,
    "stripes": _stripes,
    "bars": _bars,
    "one level": lambda random, side: np.full((side, side), float(random.integers(0, 256))),
    "rectangles": _drawn(_rectangles),
    "ellipses": _drawn(_ellipses),
    "lines": _drawn(_lines),
    "text": _drawn(_text),
}


def generate(kind: str, random: Random) -> NDArray[np.uint8]:
    """Return an image of this kind as it is prepared for the model: uint8 [28, 28]."""
    levels = KINDS[kind](random, int(random.choice(SIZES)))
    return to_image(np.repeat(np.clip(levels, 0, 255).astype(np.uint8)[:, :, None], 3, 2), 28, 1)


def _axes(side: int) -> tuple[Levels, Levels]:
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    return y, x


def _box(random: Random, side: int) -> list[int]:
    left, top = (int(value) for value in random.integers(0, side - 4, 2))
    return [left, top, left + int(random.integers(3, side)), top + int(random.integers(3, side))]
