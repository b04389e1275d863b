"""Images of random shapes for the class "none of these"."""

import hashlib

import numpy as np

from modiste.data.synthetic.scenes import draw_scenes, draw_shapes


def test_scenes_differ_and_a_larger_count_does_not_change_them() -> None:
    """Each has its own random stream, and none has a single color."""
    scenes = draw_scenes(6, 48, seed=3)
    assert scenes.shape == (6, 48, 48, 3)
    assert scenes.dtype == np.uint8
    assert (scenes[:2] == draw_scenes(2, 48, seed=3)).all()
    assert len({image.tobytes() for image in scenes}) == 6
    assert (scenes.std((1, 2)).max(1) > 5).all()


def test_shapes_are_drawn_as_images_of_fashion_mnist() -> None:
    """Gray, on black, each from its own random stream, and few are empty."""
    images = draw_shapes(50, seed=3)
    assert images.shape == (50, 28, 28)
    assert images.dtype == np.uint8
    assert (images[:2] == draw_shapes(2, seed=3)).all()
    assert (images[:, 0] == 0).mean() > 0.7
    assert (images.max((1, 2)) > 30).mean() > 0.8


def test_a_seed_always_gives_the_same_pixels() -> None:
    """The bundled model was trained on them."""
    scenes, shapes = draw_scenes(6, 48, seed=3), draw_shapes(50, seed=3)
    assert hashlib.sha256(scenes.tobytes()).hexdigest() == (
        "a59b9b90a8075ae3e5c1820e2d9432157d5232a6f9d8710d8f7bfdd8e021c8b5"
    )
    assert hashlib.sha256(shapes.tobytes()).hexdigest() == (
        "9d8af6c250f58d855951e5aad60d2652524bb5ba3e0102fb5425747b66302f36"
    )
