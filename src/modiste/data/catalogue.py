"""What a collection of photos lacks: images of Fashion-MNIST, made photo-like, and scenes without clothes."""

import numpy as np
from numpy.typing import NDArray

from modiste.data import fashion_mnist
from modiste.data.part import Part
from modiste.data.split import Split
from modiste.images.photo_like import photo_like
from modiste.images.scenes import scenes
from modiste.labels import FASHION_MNIST, NONE_OF_THESE


def with_catalogue(split: Split, names: tuple[str, ...], count: int, seed: int) -> Split:
    """Add so many images for each label of Fashion-MNIST that no photo has alone, and as many scenes; photos first.

    Scenes are drawn where "none of these" is a label.

    Args:
        split: of RGB images, to learn from.
        names: its label names, those of Fashion-MNIST among them.
        count: images of each such label, and scenes.
        seed: decides which images, and all that is random in them.
    """
    lacking = [name for name in FASHION_MNIST if not _alone(split, names.index(name))]
    catalogue = fashion_mnist.source(28).part("train")
    chosen = np.array([place for name in lacking for place in _some(catalogue, name, count, seed)], np.int64)
    labels = np.array([names.index(FASHION_MNIST[label]) for label in catalogue.labels[chosen]], np.int64)
    size = split.images.shape[1]
    images = photo_like(catalogue.load(chosen), size, seed)
    if NONE_OF_THESE in names:
        images = np.concatenate([images, scenes(count, size, seed)])
        labels = np.append(labels, [names.index(NONE_OF_THESE)] * count)
    allowed = None
    if split.allowed is not None:
        allowed = np.concatenate([split.allowed, np.eye(len(names), dtype=bool)[labels]])
    return Split(split.name, np.concatenate([split.images, images]), np.concatenate([split.labels, labels]), allowed)


def _alone(split: Split, label: int) -> bool:
    """Whether some image has this label and no other."""
    own = split.labels == label
    return bool(own.any() if split.allowed is None else (own & (split.allowed.sum(1) == 1)).any())


def _some(catalogue: Part, name: str, count: int, seed: int) -> NDArray[np.int64]:
    label = FASHION_MNIST.index(name)
    return np.random.default_rng((seed, label)).permutation(np.flatnonzero(catalogue.labels == label))[:count]
