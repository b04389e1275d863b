"""Tiny IDX folders for tests."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np

from modiste.labels import FASHION_MNIST


def images_file(images: np.ndarray, magic: int = 2051) -> bytes:
    """The bytes of an IDX file of images, unpacked."""
    return struct.pack(">IIII", magic, *images.shape) + images.tobytes()


def labels_file(labels: np.ndarray, magic: int = 2049) -> bytes:
    """The bytes of an IDX file of labels, unpacked."""
    return struct.pack(">II", magic, len(labels)) + labels.astype(np.uint8).tobytes()


def write_idx_folder(folder: Path, train: int = 100, test: int = 20, labels: int = 10, side: int = 28) -> Path:
    """Write the four IDX files, and labels.json with the names of the classes in Fashion-MNIST.

    An image of label i has a bright row i on noise.

    Args:
        folder: created if missing.
        train: number of training images; the labels cycle.
        test: number of test images.
        labels: number of classes that are used.
        side: height and width in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(FASHION_MNIST[:labels]))
    for start, count, seed in (("train", train, 0), ("t10k", test, 1)):
        numbers = np.arange(count) % labels
        images = np.random.default_rng(seed).integers(0, 100, (count, side, side), dtype=np.uint8)
        images[np.arange(count), numbers] = 255
        (folder / f"{start}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images_file(images)))
        (folder / f"{start}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels_file(numbers)))
    return folder
