"""Heat maps."""

import numpy as np

from modiste.imaging import heatmap


def test_the_map_is_1_where_the_drop_is_largest() -> None:
    """It is enlarged, and places whose hiding raises the probability are 0."""
    occlusion_map = np.zeros((7, 7), np.float32)
    occlusion_map[1, 2], occlusion_map[5, 5] = 0.8, -3
    heat = heatmap.resize_occlusion_map(occlusion_map, 28)
    assert heat.shape == (28, 28)
    assert (heat.max(), heat.min()) == (1, 0)
    assert np.hypot(*np.subtract(np.unravel_index(heat.argmax(), heat.shape), (5.5, 9.5))) < 2


def test_noise_stays_dark() -> None:
    """Where hiding any place hardly lowers the probability, no value comes near 1."""
    noise = np.random.default_rng(0).normal(0, 0.005, (7, 7)).astype(np.float32)
    assert heatmap.resize_occlusion_map(noise, 28).max() < 0.3
