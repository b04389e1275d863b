"""Whether the heat map tells the truth: what it calls hot must matter more to the label than other places do."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.imaging.preprocess import to_image
from modiste.inference.model import Model
from modiste.inference.occlusion import occlude

SHARE = 0.2
"""Of the places that are masked."""


def hot_matters(model: Model, photos: list[Path]) -> list[bool]:
    """For each photo, whether its label loses more by masking its hottest places than by as many random ones."""
    random = np.random.default_rng(0)
    return [_matters(model, to_image(path, model.image_size, model.channels), random) for path in photos]


def _matters(model: Model, image: NDArray[np.uint8], random: np.random.Generator) -> bool:
    label = int(model.probabilities(image[None])[0].argmax())
    warmth = model.occlusion_map(image, label)
    count = round(SHARE * warmth.size)
    hottest, others = np.argsort(-warmth, axis=None)[:count], random.permutation(warmth.size)[:count]
    inside = np.zeros((2, *warmth.shape), bool)
    for part, places in zip(inside, (hottest, others), strict=True):
        part.flat[places] = True
    masked = np.stack([occlude(image, part) for part in inside])
    hot, other = model.probabilities(masked)[:, label]
    return bool(hot < other)
