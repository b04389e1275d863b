"""Images that are stored as arrays: in IDX files, tables of pixels and .npz archives."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources.abc import Traversable

import numpy as np

from modiste.data.split import Images, Indices, Labels
from modiste.errors import InputError, SettingError
from modiste.imaging.preprocess import to_image

FASHION_MNIST_DIGESTS = {"674bad5b6fd19a85d51c78d7badc0fef", "f3790bc43c345024af53b4003b9a9108"}
"""Of the official train and test images with their labels, in any order; see `content_digest`."""

Place = Traversable | str


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The images that a recipe takes.

    Args:
        size: pixels a side; 0 takes stored arrays of any size and any number of channels.
        channels: 1 gray, 3 RGB.
        resize_mode: how photos become square, as in `data.resize_mode`.
    """

    size: int
    channels: int = 1
    resize_mode: str = "squash"


def require_pairs(place: Place, images: Images, labels: Labels) -> None:
    """Raise an InputError unless there is at least one image, and a label for each."""
    if len(images) != len(labels):
        raise InputError(
            f"{place} holds {len(images)} images, but there are {len(labels)} labels. Take both from one place."
        )
    if not len(images):
        raise InputError(f"{place} has no images. Name another folder with --data.")


def require_size(place: Place, images: Images, size: int) -> None:
    """Raise a SettingError if gray images, [n, h, w], are not squares of that size; 0 allows any."""
    rows, columns = images.shape[1:3]
    if size and (rows, columns) != (size, size):
        raise SettingError(
            f"data.image_size is {size}, but the images of {place} have {rows} x {columns} pixels. "
            f"{f'Set data.image_size to {rows}' if rows == columns else 'Pad them to squares'}, or name other data "
            "with --data."
        )


def loader(place: Place, images: Images, image_format: ImageFormat) -> Callable[[Indices], Images]:
    """Return what loads images, [n, h, w] or [n, h, w, 3], at some indices; RGB images of another size are scaled.

    Raises:
        SettingError: the images have other channels than the recipe says, or are gray and of another size.
    """
    size, channels = image_format.size, image_format.channels
    if not size:
        return images.__getitem__
    stored = 3 if images.ndim == 4 else 1
    if stored != channels:
        kinds = {1: "gray", 3: "RGB"}
        side = f" and data.image_size to {images.shape[1]}" if images.shape[1:3] != (size, size) else ""
        raise SettingError(
            f"data.channels is {channels}, but the images of {place} are {kinds[stored]}. Set data.channels to "
            f"{stored}{side}, or name other data with --data."
        )
    if stored == 1:
        require_size(place, images, size)
    if images.shape[1:3] == (size, size):
        return images.__getitem__
    return partial(_load_scaled, images, image_format)


def content_digest(images: Images, labels: Labels) -> str:
    """Return a checksum of images and labels that does not depend on their order."""
    content = np.column_stack([labels.astype(np.uint8), images.reshape(len(images), -1)])
    rows = sorted(hashlib.md5(row, usedforsecurity=False).digest() for row in content)
    return hashlib.md5(b"".join(rows), usedforsecurity=False).hexdigest()


def are_fashion_mnist(images: Images, labels: Labels) -> bool:
    """Return whether these are the official train or test images of Fashion-MNIST with their labels, in any order."""
    if len(images) not in (60_000, 10_000) or len(labels) != len(images) or labels.dtype.kind != "i":
        return False
    if images.shape[1:] != (28, 28):
        return False
    return content_digest(images, labels) in FASHION_MNIST_DIGESTS


def _load_scaled(images: Images, image_format: ImageFormat, indices: Indices) -> Images:
    size, mode = image_format.size, image_format.resize_mode
    scaled = np.empty((len(indices), size, size, 3), np.uint8)
    for row, index in enumerate(indices):
        scaled[row] = to_image(images[index], size, 3, resize_mode=mode)
    return scaled
