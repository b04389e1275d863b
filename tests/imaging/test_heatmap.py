"""Heat maps."""

import numpy as np

from modiste.imaging import heatmap


def test_heat_is_full_where_most_speaks_for_the_label() -> None:
    """Enlarged, with what speaks against it at none."""
    evidence = np.zeros((7, 7), np.float32)
    evidence[1, 2], evidence[5, 5] = 0.8, -3
    warm = heatmap.heat(evidence, 28)
    assert warm.shape == (28, 28)
    assert (warm.max(), warm.min()) == (1, 0)
    assert np.hypot(*np.subtract(np.unravel_index(warm.argmax(), warm.shape), (5.5, 9.5))) < 2


def test_noise_is_not_drawn_as_heat() -> None:
    """Where hiding a place costs next to nothing, the map stays dark."""
    noise = np.random.default_rng(0).normal(0, 0.005, (7, 7)).astype(np.float32)
    assert heatmap.heat(noise, 28).max() < 0.3
