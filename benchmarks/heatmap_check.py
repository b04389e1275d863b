"""Check heat maps: hiding the hottest regions must lower the probability more than hiding random ones."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.inference.model import Model
from modiste.inference.occlusion import occlude

MASKED_FRACTION = 0.2
"""Of the cells of a heat map."""


def is_hottest_decisive(model: Model, photos: list[Path]) -> list[bool]:
    """Return for each photo whether hiding its hottest cells costs more probability than hiding as many random ones."""
    rng = np.random.default_rng(0)
    return [_compare_masks(model, model.preprocess(path)[1], rng) for path in photos]


def _compare_masks(model: Model, image: NDArray[np.uint8], rng: np.random.Generator) -> bool:
    label = int(model.probabilities(image[None])[0].argmax())
    heat = model.occlusion_map(image, label)
    count = round(MASKED_FRACTION * heat.size)
    hottest, random = np.argsort(-heat, axis=None)[:count], rng.permutation(heat.size)[:count]
    masks = np.zeros((2, *heat.shape), bool)
    for mask, cells in zip(masks, (hottest, random), strict=True):
        mask.flat[cells] = True
    without_hottest, without_random = model.probabilities(np.stack([occlude(image, mask) for mask in masks]))[:, label]
    return bool(without_hottest < without_random)
