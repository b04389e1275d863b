"""Photo-like images made from images of Fashion-MNIST."""

import hashlib

import numpy as np

from modiste.data.synthetic.photo_like import make_photo_like


def test_the_garment_is_dark_on_a_background() -> None:
    """A bright square on black becomes a dark shape; the background differs between images."""
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 6:22, 6:22] = 230
    photos = make_photo_like(images, 64, seed=0)
    assert photos.shape == (4, 64, 64, 3)
    assert photos.dtype == np.uint8
    darkest = np.percentile(photos.reshape(4, -1), 10, axis=1)
    assert (darkest < 60).all()
    assert len({image.tobytes() for image in photos}) == 4


def test_more_images_do_not_change_the_first() -> None:
    """Each image has its own random stream, and a seed always gives the same pixels."""
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    assert (make_photo_like(images, 48, 5)[:2] == make_photo_like(images[:2], 48, 5)).all()
    assert not (make_photo_like(images, 48, 5) == make_photo_like(images, 48, 6)).all()
    digest = hashlib.sha256(make_photo_like(images, 48, 5).tobytes()).hexdigest()
    assert digest == "f93fdbb3aa23f616278c2c9ea895b88f6492562d6f3ae91eee9edc40c33e3c68"
