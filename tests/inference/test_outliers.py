"""Images unlike those of training."""

import json

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste.errors import InputError
from modiste.inference import model_file, outliers
from modiste.inference.outliers import COUNT, OutlierDetector, image_statistics
from modiste.labels import NONE_OF_THESE
from modiste.metrics.outliers import fit_outliers

RANDOM = np.random.default_rng(0)
GARMENTS = np.zeros((300, 28, 28), np.uint8)
GARMENTS[:, 4:24, 8:20] = RANDOM.integers(100, 200, (300, 1, 1)) + RANDOM.integers(0, 30, (300, 20, 12))
LABELS = np.arange(300) % 2
NOISE = RANDOM.integers(0, 256, (20, 28, 28), dtype=np.uint8)
FITTED = fit_outliers(GARMENTS[:200], LABELS[:200], GARMENTS[200:], 0.05)


def test_noise_is_found_among_garments() -> None:
    """At most the given share of the validation images is."""
    assert FITTED.is_outlier(NOISE).all()
    assert FITTED.is_outlier(GARMENTS[200:]).mean() == 0.05 == pytest.approx(1 - FITTED.coverage)


@pytest.mark.parametrize("side", [28, 30, 64])
def test_images_of_any_size_have_statistics(side: int) -> None:
    """A finite number each, also of one level."""
    statistics = image_statistics(np.stack([np.zeros((side, side), np.uint8), np.full((side, side), 255, np.uint8)]))
    assert statistics.shape == (2, COUNT)
    assert np.isfinite(statistics).all()
    assert FITTED.distances(np.empty((0, side, side), np.uint8)).shape == (0,)


def test_the_metadata_has_all_of_it() -> None:
    """The same images are found by what was read back."""
    read = outliers.from_metadata(FITTED.to_metadata(), channels=1, classes=len(FITTED.means))
    assert read
    np.testing.assert_allclose(read.distances(GARMENTS), FITTED.distances(GARMENTS), rtol=1e-3)
    assert outliers.from_metadata({}, 1, 2) is None


def test_an_outlier_is_none_of_these() -> None:
    """Its classes have the rest of the probability."""
    model = model_file.load(tiny_model(metadata=FITTED.to_metadata()))
    garment, noise = model.predict_images(np.stack([GARMENTS[0], NOISE[0]]), top=2)
    assert garment.label in ("dark", "bright")
    assert (noise.label, noise.probability) == (NONE_OF_THESE, FITTED.coverage)
    assert sum(probability for _, probability in noise.top) == pytest.approx(1 - FITTED.coverage)


def changed(**changes: object) -> dict[str, str]:
    """Return the metadata of a detector with other values."""
    return {outliers.KEY: json.dumps({**json.loads(FITTED.to_metadata()[outliers.KEY]), **changes})}


@pytest.mark.parametrize(
    ("metadata", "channels"),
    [
        (changed(threshold=-1), 1),
        (changed(threshold="nan"), 1),
        (changed(coverage=2), 1),
        (changed(means=""), 1),
        (changed(means="AAAA"), 1),
        (changed(transforms="no base64!"), 1),
        (OutlierDetector(FITTED.means * np.nan, FITTED.transforms, 1, 1).to_metadata(), 1),
        ({outliers.KEY: "{}"}, 1),
        ({outliers.KEY: "[]"}, 1),
        (FITTED.to_metadata(), 3),
    ],
)
def test_invalid_metadata_is_refused(metadata: dict[str, str], channels: int) -> None:
    """It is a damaged model."""
    with pytest.raises(InputError, match="invalid metadata"):
        model_file.load(tiny_model(metadata=metadata, channels=channels))
