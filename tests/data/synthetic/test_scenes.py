"""Scenes of nothing to wear."""

import numpy as np

from modiste.data.synthetic.scenes import scenes, things


def test_scenes_differ_and_more_of_them_change_none() -> None:
    """Each has its own stream of chance, and there is something on it."""
    made = scenes(6, 48, seed=3)
    assert made.shape == (6, 48, 48, 3)
    assert made.dtype == np.uint8
    assert (made[:2] == scenes(2, 48, seed=3)).all()
    assert len({image.tobytes() for image in made}) == 6
    assert (made.std((1, 2)).max(1) > 5).all()


def test_things_are_like_images_of_fashion_mnist() -> None:
    """Gray, on black, each its own, and something is on nearly all of them."""
    made = things(50, seed=3)
    assert made.shape == (50, 28, 28)
    assert made.dtype == np.uint8
    assert (made[:2] == things(2, seed=3)).all()
    assert (made[:, 0] == 0).mean() > 0.7
    assert (made.max((1, 2)) > 30).mean() > 0.8
