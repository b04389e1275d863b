"""The same prediction however it is computed: in any batch, on 1 or 2 threads, by any runtime (fault 19)."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import runtimes
import torch
from numpy.typing import NDArray

from faults.counts import IS_LONG, count
from helpers.command import run_in_process
from helpers.photos import clothes, fill, png, saved
from modiste import inference
from modiste.data import fashion_mnist
from modiste.export import int8
from modiste.imaging.preprocess import PhotoInput
from modiste.inference import bundled_files, model_file
from modiste.inference.model import CHUNK_SIZE, Model
from modiste.runs.folder import Run

TOLERANCE = 1e-5
"""Of each probability, in one precision."""

INT8_TOLERANCE = {"fashion-mnist": 0.15, "photo": 0.4}
"""Of each probability, between int8 and fp32, of each kind of model; that of photos gets other images."""

BATCHES = (1, 3, 8, 64, 256)
IMAGES = {"fashion-mnist": 256, "photo": 256 if IS_LONG else 16}
"""For each kind of model; one of photos takes 50 ms for each, and gets them one at a time."""

POISON: dict[str, PhotoInput] = {
    "truncated": saved(clothes(), "JPEG")[:500],
    "text": b"no photo",
    "too large": png(30_000, 30_000, b""),
    "not an image": np.zeros((3, 7)),
}

TRAININGS = {
    "fashion-mnist": ["marathon", "--epochs=3", "--set=data.max_train_images=1000"],
    "photo": ["photo", "--epochs=1", "--data=photos"],
}
"""Short ones of the recipes of the bundled models."""


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Training images of Fashion-MNIST."""
    return fashion_mnist.source(28).part("train").load(np.arange(256))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """What trains a network of the kind of a bundled model, once."""

    @cache
    def run(kind: str) -> Run:
        folder = tmp_path_factory.mktemp(kind)
        for number, name in enumerate(("coat", "shoe")):
            tall = 40 + 20 * number
            fill(folder / "photos" / name, 25, lambda index, tall=tall: clothes(tall + index, 40 + 2 * index))
        exact = ["--set=compute.precision=fp32", "--set=compute.threads=1"]
        run_in_process(folder, "train", *TRAININGS[kind], "--name=a", *exact)
        return Run(folder / "runs" / "a")

    return run


def for_model(model: Model, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return as many images as a test of the model takes, in their shape, inverted for a model of photos."""
    number = IMAGES["fashion-mnist" if model.channels == 1 else "photo"]
    return np.stack([model.preprocess(image if model.channels == 1 else 255 - image)[1] for image in images[:number]])


def without_tta(model: Model) -> Model:
    """Return the model without the views that are averaged after the network."""
    return replace(model, tta_threshold=0.0)


def require_close(actual: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float) -> float:
    """Return the largest difference of probabilities; require that it is within the tolerance, and labels are equal.

    The labels of images whose two best classes are closer than two differences of this size may differ.
    """
    difference = float(np.abs(actual - expected).max())
    best = np.sort(expected, 1)
    is_clear = best[:, -1] - best[:, -2] > 2 * tolerance
    assert difference <= tolerance
    assert (actual.argmax(1) == expected.argmax(1))[is_clear].all()
    assert is_clear.mean() > 0.3
    return difference


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_files.NAMES)
@pytest.mark.parametrize("threads", [1, 2])
def test_fault_19_a_prediction_is_the_same_alone_and_in_any_batch(
    name: str, threads: int, images: NDArray[np.uint8]
) -> None:
    """Of the bundled models, whose numbers on one thread are the reference."""
    reference, model = (inference.load(name, threads=each).models[0] for each in (1, threads))
    inputs = for_model(model, images)
    with count(f"batches-{name}-{threads}-threads", [19], "images in batches") as counts:
        alone = np.concatenate([reference.probabilities(image[None]) for image in inputs])
        largest = 0.0
        for size in (size for size in BATCHES if size <= len(inputs)):
            batches = [model.probabilities(inputs[start : start + size]) for start in range(0, len(inputs), size)]
            largest = max(largest, require_close(np.concatenate(batches), alone, TOLERANCE))
            counts.n += len(inputs)
        counts.measured = {"largest_difference": largest}


@pytest.mark.parametrize(("place", "poison"), list(zip((0, 15, 30, 31), POISON.values(), strict=True)), ids=POISON)
def test_fault_19_a_photo_that_cannot_be_used_does_not_change_the_others_of_its_batch(
    place: int, poison: PhotoInput
) -> None:
    """It has an error; the others have their labels, and the probabilities of each alone."""
    predictor = inference.load(threads=1)
    photos: list[PhotoInput] = [clothes(60 + number, 40) for number in range(CHUNK_SIZE - 1)]
    alone = [predictor.predict(photo)[0] for photo in photos]
    together = predictor.predict([*photos[:place], poison, *photos[place:]])
    assert together.pop(place).error
    for actual, expected in zip(together, alone, strict=True):
        assert actual.label == expected.label
        assert [label for label, _ in actual.top] == [label for label, _ in expected.top]
        assert np.allclose([value for _, value in actual.top], [value for _, value in expected.top], 0, TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRAININGS)
def test_onnx_runtime_computes_what_pytorch_does(
    kind: str, train: Callable[[str], Run], images: NDArray[np.uint8]
) -> None:
    """In fp32; and in int8 within a wider tolerance."""
    run, threads = train(kind), torch.get_num_threads()
    model = without_tta(model_file.load(run.model, 1))
    inputs = for_model(model, images)
    expected = runtimes.torch_cpu(run, len(model.class_names), compiled=False)(threads)(inputs)
    with count(f"pytorch-{kind}", [19], "images in PyTorch and in ONNX Runtime") as counts:
        counts.n = len(inputs)
        counts.measured = {"largest_difference": require_close(model.probabilities(inputs), expected, TOLERANCE)}
    with count(f"int8-{kind}", [19], "images in PyTorch and in int8") as counts:
        counts.n = len(inputs)
        actual = without_tta(model_file.load(int8.quantize(run.model, inputs), 1)).probabilities(inputs)
        counts.measured = {"largest_difference": require_close(actual, expected, INT8_TOLERANCE[kind])}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRAININGS)
def test_openvino_computes_what_onnx_runtime_does(
    kind: str, train: Callable[[str], Run], images: NDArray[np.uint8]
) -> None:
    """In fp32."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed with modiste: pip install openvino")
    model = without_tta(model_file.load(train(kind).model, 1))
    inputs = for_model(model, images)
    with count(f"openvino-{kind}", [19], "images in OpenVINO and in ONNX Runtime") as counts:
        counts.n = len(inputs)
        actual = runtimes.openvino_cpu(train(kind).model)(1)(inputs)
        counts.measured = {"largest_difference": require_close(actual, model.probabilities(inputs), TOLERANCE)}
