"""Add synthetic training images for classes that a collection of photos lacks."""

import numpy as np
from numpy.typing import NDArray

from modiste.data import fashion_mnist
from modiste.data.lazy_split import LazySplit
from modiste.data.split import Split
from modiste.data.synthetic.photo_like import make_photo_like
from modiste.data.synthetic.scenes import draw_scenes, draw_shapes
from modiste.labels import FASHION_MNIST, NONE_OF_THESE


def add_synthetic_images(split: Split, class_names: tuple[str, ...], per_class: int, seed: int) -> Split:
    """Add photo-like images of Fashion-MNIST for each of its classes that no image of the split has as its only label.

    Where "none of these" is a class, `per_class` scenes and as many photo-like shapes are added for it.

    Args:
        split: RGB images for training, uint8 [n, s, s, 3]; they come first in the result.
        class_names: of the split, all classes of Fashion-MNIST among them.
        per_class: images for each such class, at most.
        seed: decides which images are used, and all that is random in them.
    """
    class_labels = np.array([class_names.index(name) for name in FASHION_MNIST], np.int64)
    certain = split.labels if split.candidate_labels is None else split.labels[split.candidate_labels.sum(1) == 1]
    lacking = np.flatnonzero(~np.isin(class_labels, certain)).tolist()
    originals = fashion_mnist.source(28).part("train")
    indices = np.array([i for label in lacking for i in _sample_class(originals, label, per_class, seed)], np.int64)
    labels = class_labels[originals.labels[indices]]
    size = split.images.shape[1]
    images = make_photo_like(originals.load(indices), size, seed)
    if NONE_OF_THESE in class_names:
        shapes = make_photo_like(draw_shapes(per_class, seed), size, seed)
        images = np.concatenate([images, draw_scenes(per_class, size, seed), shapes])
        labels = np.append(labels, [class_names.index(NONE_OF_THESE)] * 2 * per_class)
    candidate_labels = split.candidate_labels
    if candidate_labels is not None:
        candidate_labels = np.concatenate([candidate_labels, np.eye(len(class_names), dtype=bool)[labels]])
    folders = split.folders
    if folders is not None:
        folders = np.append(folders, np.full(len(labels), folders.max(initial=-1) + 1))
    groups = split.groups
    if groups is not None:  # each synthetic image is a group of its own
        groups = np.append(groups, groups.max(initial=-1) + 1 + np.arange(len(labels)))
    images, labels = np.concatenate([split.images, images]), np.concatenate([split.labels, labels])
    return Split(split.name, images, labels, candidate_labels, groups, folders, n_corrected=split.n_corrected)


def _sample_class(originals: LazySplit, label: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of random images of a class."""
    return np.random.default_rng((seed, label)).permutation(np.flatnonzero(originals.labels == label))[:count]
