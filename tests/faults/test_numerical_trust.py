"""The same prediction, however it is computed: alone or in batches, on 1 or 2 threads, by PyTorch or ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from modiste import inference
from modiste.data import fashion_mnist
from modiste.export import int8
from modiste.export.onnx_file import to_onnx
from modiste.inference import bundled_files
from modiste.inference.calibration import Calibration
from modiste.inference.model import Model
from modiste.labels import FASHION_MNIST
from modiste.models.normalized import NormalizedModel
from modiste.recipes.recipe import Recipe

TOLERANCE = 1e-5
"""Of probabilities, in one precision."""

INT8_TOLERANCE = 0.05


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Sixty training images of Fashion-MNIST."""
    return fashion_mnist.source(28).part("train").load(np.arange(60))


def for_model(model: Model, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the images in the shape that a model takes."""
    return np.stack([inference_image(model, image) for image in images])


def inference_image(model: Model, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the input of a model for one image, inverted for a model of photos."""
    return model.preprocess(image if model.channels == 1 else 255 - image)[1]


@pytest.mark.parametrize("name", bundled_files.NAMES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_prediction_is_the_same_alone_and_in_any_batch(name: str, threads: int, images: NDArray[np.uint8]) -> None:
    """Of the bundled models, whose numbers on one thread are the reference."""
    reference, model = (inference.load(name, threads=each).models[0] for each in (1, threads))
    inputs = for_model(model, images[:8])
    alone = np.concatenate([reference.probabilities(image[None]) for image in inputs])
    for size in (1, 3, 8):
        batches = [model.probabilities(inputs[start : start + size]) for start in range(0, 8, size)]
        together = np.concatenate(batches)
        assert (together.argmax(1) == alone.argmax(1)).all()
        assert np.abs(together - alone).max() <= TOLERANCE


@pytest.fixture(scope="module")
def network() -> NormalizedModel:
    """A network with convolutions and batch norm whose probabilities are far from equal."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(288, 10),
    )  # fmt: skip
    with torch.no_grad():
        body[-1].weight *= 10  # type: ignore[operator]
    return NormalizedModel(body, torch.tensor([0.3]), torch.tensor([0.35])).eval()


@pytest.fixture(scope="module")
def exported(network: NormalizedModel) -> bytes:
    """The network as a model file."""
    return to_onnx(network, Recipe(), FASHION_MNIST, {}, Calibration())


def test_onnx_runtime_computes_what_pytorch_does(
    network: NormalizedModel, exported: bytes, images: NDArray[np.uint8]
) -> None:
    """In fp32, within the tolerance."""
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(1).numpy()
    actual = inference.load(exported, threads=1).models[0].probabilities(images)
    assert (actual.argmax(1) == expected.argmax(1)).all()
    assert np.abs(actual - expected).max() <= TOLERANCE


def test_int8_is_close_to_fp32(exported: bytes, images: NDArray[np.uint8], tmp_path: Path) -> None:
    """The labels are equal where the margin exceeds the tolerance of the probabilities, which holds on average."""
    path = tmp_path / "model.onnx"
    path.write_bytes(exported)
    full = inference.load(path, threads=1).models[0].probabilities(images)
    quantized = inference.load(int8.quantize(path, images), threads=1).models[0].probabilities(images)
    margin = np.diff(np.sort(full, axis=1)[:, -2:], axis=1)[:, 0]
    assert np.abs(quantized - full).mean() <= INT8_TOLERANCE
    assert (quantized.argmax(1) == full.argmax(1))[margin > 4 * INT8_TOLERANCE].all()
