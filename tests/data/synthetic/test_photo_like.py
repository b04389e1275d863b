"""Catalogue images made photo-like."""

import numpy as np

from modiste.data.synthetic.photo_like import photo_like


def test_the_garment_is_darker_and_has_moved_into_a_scene() -> None:
    """A bright square on black becomes a dark shape somewhere on a background, another one for each image."""
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 6:22, 6:22] = 230
    made = photo_like(images, 64, seed=0)
    assert made.shape == (4, 64, 64, 3)
    assert made.dtype == np.uint8
    darkest = np.percentile(made.reshape(4, -1), 10, axis=1)
    assert (darkest < 60).all()
    assert len({image.tobytes() for image in made}) == 4


def test_the_same_seed_makes_the_same_and_more_images_change_none() -> None:
    """Each image has its own stream of chance."""
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    assert (photo_like(images, 48, 5)[:2] == photo_like(images[:2], 48, 5)).all()
    assert not (photo_like(images, 48, 5) == photo_like(images, 48, 6)).all()
