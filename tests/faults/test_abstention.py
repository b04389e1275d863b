"""Images that show no clothes (faults 09 and 40)."""

from pathlib import Path

import numpy as np
import pytest
from generated_images import KINDS, generate
from PIL import Image

from helpers.photos import saved
from modiste import inference
from modiste.data import fashion_mnist
from modiste.inference import model_file
from modiste.labels import NONE_OF_THESE
from modiste.runs import results

RESULTS = results.read(Path(__file__).parents[2] / "results" / "out-of-distribution.json")


@pytest.mark.parametrize("kind", KINDS)
def test_fault_40_an_image_of_nothing_is_none_of_these(kind: str) -> None:
    """Noise, gradients, test patterns, shapes and text of 27 to 64 pixels, about as often as was measured."""
    detector, random = model_file.load("fashion-mnist", 1).outliers, np.random.default_rng(1)
    assert detector
    found = float(detector.is_outlier(np.stack([generate(kind, random) for _ in range(40)])).mean())
    assert found >= RESULTS["outliers"][f"generated/{kind}"]["share"] - 0.15
    assert found > 0.7


def test_fault_40_images_of_fashion_mnist_are_not() -> None:
    """At most 0.5 % of the test images, exactly as published."""
    detector = model_file.load("fashion-mnist", 1).outliers
    images = fashion_mnist.source().part("test").load_split("test").images
    assert detector
    assert float(detector.is_outlier(images).mean()) == RESULTS["test"]["false_alarms"] <= 0.005


def test_fault_09_noise_is_no_bag() -> None:
    """With the bundled models, as it is sent: a gray image of 28 pixels on black."""
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8).repeat(3, 2)
    noise[0] = noise[-1] = 0
    (prediction,) = inference.load(threads=1).predict([saved(Image.fromarray(noise))])
    assert (prediction.model, prediction.label) == ("fashion-mnist", NONE_OF_THESE)
    assert prediction.top[0][1] < 0.01
