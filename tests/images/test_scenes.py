"""Scenes of nothing to wear."""

import numpy as np

from modiste.images.scenes import scenes


def test_scenes_differ_and_more_of_them_change_none() -> None:
    """Each has its own stream of chance, and there is something on it."""
    made = scenes(6, 48, seed=3)
    assert made.shape == (6, 48, 48, 3)
    assert made.dtype == np.uint8
    assert (made[:2] == scenes(2, 48, seed=3)).all()
    assert len({image.tobytes() for image in made}) == 6
    assert (made.std((1, 2)).max(1) > 5).all()
