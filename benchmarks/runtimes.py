"""Compare runtimes for the model of a run: accuracy, latency of one image and throughput.

PyTorch uses the weights of the run. OpenVINO is not installed with modiste: run `pip install openvino` first.
"""

import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import timing
import torch
from numpy.typing import NDArray

from modiste.data.split import Images, Split
from modiste.export import export, int8
from modiste.inference import model_file
from modiste.models import weights
from modiste.runs.folder import Run

Predict = Callable[[Images], NDArray[np.float32]]
"""uint8 images -> probabilities, float32 [n, labels]."""

REPEATS = 300
BATCH = 256
SECONDS = 3.0
"""Duration of the throughput measurement, after one batch that warms up."""


def onnxruntime_cpu(content: bytes | Path) -> Callable[[int], Predict]:
    """Return a function that loads the model as modiste does, for a number of threads."""
    return lambda threads: model_file.load(content, threads).probabilities


def openvino_cpu(path: Path) -> Callable[[int], Predict]:
    """Return a function that loads the same file with OpenVINO, for a number of threads."""

    def create(threads: int) -> Predict:
        import openvino  # imported here because the tests run without it

        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(path), "CPU", hints)
        return lambda images: np.asarray(compiled({"image": images})["probabilities"])

    return create


def torch_cpu(run: Run, labels: int, compiled: bool) -> Callable[[int], Predict]:
    """Return a function that prepares PyTorch with the weights of a run, eager or compiled, for a number of threads."""
    network = weights.load_trained(run, run.recipe().model, labels)
    forward: Callable[[torch.Tensor], torch.Tensor] = network.to(memory_format=torch.channels_last)
    if compiled:
        forward = torch.compile(forward, dynamic=False)  # dynamic shapes take minutes to compile

    def create(threads: int) -> Predict:
        torch.set_num_threads(threads)

        @torch.inference_mode()
        def predict(images: Images) -> NDArray[np.float32]:
            return torch.softmax(forward(torch.from_numpy(images)), 1).numpy()

        return predict

    return create


def runtimes(run: Run, training: Images) -> dict[str, Callable[[int], Predict]]:
    """Return all runtimes by name; each is created for a number of threads.

    Args:
        run: with its weights.
        training: the first images calibrate the ranges of int8.
    """
    labels = len(model_file.load(run.model).class_names)
    sample = training[: export.CALIBRATION_IMAGES]
    return {
        "ONNX Runtime, fp32": onnxruntime_cpu(run.model),
        "ONNX Runtime, int8 (QDQ, U8S8, 7-bit weights)": onnxruntime_cpu(int8.quantize(run.model, sample)),
        "PyTorch, eager": torch_cpu(run, labels, compiled=False),
        "PyTorch, compiled": torch_cpu(run, labels, compiled=True),
        "OpenVINO, fp32": openvino_cpu(run.model),
    }


def compare_runtimes(run: Run, split: Split, training: Images) -> list[dict[str, Any]]:
    """Return a record for each runtime; `same` is the fraction of labels equal to those of the first one.

    Args:
        run: with its weights.
        split: images for accuracy; the first of them also for latency and throughput.
        training: as `runtimes`.
    """
    records, reference = [], None
    for name, create in runtimes(run, training).items():
        predict = create(2)
        labels = np.concatenate([predict(batch) for batch in _batches(split.images)]).argmax(1)
        reference = labels if reference is None else reference
        records.append(
            {
                "runtime": name,
                "images": len(split),
                "accuracy": float(split.is_correct(labels).mean()),
                "same": float((labels == reference).mean()),
                "milliseconds_one_image_one_thread": 1000 * latency(create(1), split.images),
                "images_a_second_two_threads": throughput(create(2), split.images),
            }
        )
        print(f"{run.name}, {name}: {records[-1]['milliseconds_one_image_one_thread']:.2f} ms")
    return records


def latency(predict: Predict, images: Images) -> float:
    """Return the median seconds of a call with one image, each of the first `REPEATS` images once."""
    batches = cycle(images[:REPEATS, None])
    return timing.median_seconds(lambda: predict(next(batches)), REPEATS, 10)


def throughput(predict: Predict, images: Images) -> float:
    """Return images per second in batches of `BATCH`."""
    batch = images[:BATCH]
    predict(batch)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        predict(batch)
        count += len(batch)
    return count / (time.perf_counter() - start)


def _batches(images: Images) -> list[Images]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
