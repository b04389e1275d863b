"""What a collection of photos lacks: images of Fashion-MNIST, made photo-like, and drawings that are no clothes."""

import numpy as np
from numpy.typing import NDArray

from modiste.data import fashion_mnist
from modiste.data.lazy_split import LazySplit
from modiste.data.split import Split
from modiste.data.synthetic.photo_like import photo_like
from modiste.data.synthetic.scenes import scenes, things
from modiste.labels import FASHION_MNIST, NONE_OF_THESE


def with_catalogue(split: Split, names: tuple[str, ...], count: int, seed: int) -> Split:
    """Add so many images for each label of Fashion-MNIST that no photo has alone; photos first.

    Where "none of these" is a label, so many scenes and so many things that are no clothes are drawn too.

    Args:
        split: of RGB images, to learn from.
        names: its label names, those of Fashion-MNIST among them.
        count: images of each such label, scenes and things.
        seed: decides which images, and all that is random in them.
    """
    lacking = [name for name in FASHION_MNIST if not _alone(split, names.index(name))]
    catalogue = fashion_mnist.source(28).part("train")
    chosen = np.array([place for name in lacking for place in _some(catalogue, name, count, seed)], np.int64)
    labels = np.array([names.index(FASHION_MNIST[label]) for label in catalogue.labels[chosen]], np.int64)
    size = split.images.shape[1]
    images = photo_like(catalogue.load(chosen), size, seed)
    if NONE_OF_THESE in names:
        images = np.concatenate([images, scenes(count, size, seed), photo_like(things(count, seed), size, seed)])
        labels = np.append(labels, [names.index(NONE_OF_THESE)] * 2 * count)
    candidate_labels = None
    if split.candidate_labels is not None:
        candidate_labels = np.concatenate([split.candidate_labels, np.eye(len(names), dtype=bool)[labels]])
    return Split(
        split.name, np.concatenate([split.images, images]), np.concatenate([split.labels, labels]), candidate_labels
    )


def _alone(split: Split, label: int) -> bool:
    """Whether some image has this label and no other."""
    own = split.labels == label
    return bool(own.any() if split.candidate_labels is None else (own & (split.candidate_labels.sum(1) == 1)).any())


def _some(catalogue: LazySplit, name: str, count: int, seed: int) -> NDArray[np.int64]:
    label = FASHION_MNIST.index(name)
    return np.random.default_rng((seed, label)).permutation(np.flatnonzero(catalogue.labels == label))[:count]
