"""A run's model in each runtime that one might use: what it says, how long one image takes, how many go a second.

PyTorch has the run's own weights. OpenVINO is no part of modiste: `pip install openvino` before the measuring.
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

TIMES = 300
BATCH = 256
SECONDS = 3.0
"""How long images are pushed through, after one batch that warms up."""


def onnxruntime(content: bytes | Path) -> Callable[[int], Predict]:
    """The product's own way, for so many threads."""
    return lambda threads: model_file.load(content, threads).probabilities


def openvino_cpu(path: Path) -> Callable[[int], Predict]:
    """OpenVINO with the same file."""

    def made(threads: int) -> Predict:
        import openvino  # here, as the tests of the other runtimes go without it

        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(path), "CPU", hints)
        return lambda images: np.asarray(compiled({"image": images})["probabilities"])

    return made


def torch_cpu(run: Run, labels: int, compiled: bool) -> Callable[[int], Predict]:
    """PyTorch with the run's weights, as it is or compiled."""
    network = weights.load_trained(run, run.recipe().model, labels)
    ready: Callable[[torch.Tensor], torch.Tensor] = network.to(memory_format=torch.channels_last)
    if compiled:
        ready = torch.compile(ready, dynamic=False)  # sizes as symbols: minutes of algebra for each network

    def made(threads: int) -> Predict:
        torch.set_num_threads(threads)

        @torch.inference_mode()
        def predict(images: Images) -> NDArray[np.float32]:
            return torch.softmax(ready(torch.from_numpy(images)), 1).numpy()

        return predict

    return made


def contestants(run: Run, training: Images) -> dict[str, Callable[[int], Predict]]:
    """Every runtime by name, each ready to be made for some threads."""
    labels = len(model_file.load(run.model).class_names)
    sample = training[: export.CALIBRATION_IMAGES]
    return {
        "ONNX Runtime, fp32": onnxruntime(run.model),
        "ONNX Runtime, int8 (QDQ, U8S8, 7-bit weights)": onnxruntime(int8.quantize(run.model, sample)),
        "PyTorch, eager": torch_cpu(run, labels, compiled=False),
        "PyTorch, compiled": torch_cpu(run, labels, compiled=True),
        "OpenVINO, fp32": openvino_cpu(run.model),
    }


def compared(run: Run, judged: Split, training: Images) -> list[dict[str, Any]]:
    """A record a runtime: accuracy, share of images called as by ONNX Runtime in fp32, milliseconds, images a second.

    Args:
        run: with its weights.
        judged: images that say what accuracy each has; the first also say how fast it is.
        training: the first of them set the ranges of int8.
    """
    records, first = [], None
    for name, made in contestants(run, training).items():
        predict = made(2)
        said = np.concatenate([predict(part) for part in _batches(judged.images)]).argmax(1)
        first = said if first is None else first
        records.append(
            {
                "runtime": name,
                "images": len(judged),
                "accuracy": float(judged.is_correct(said).mean()),
                "same": float((said == first).mean()),
                "milliseconds_one_image_one_thread": 1000 * latency(made(1), judged.images),
                "images_a_second_two_threads": throughput(made(2), judged.images),
            }
        )
        print(f"{run.name}, {name}: {records[-1]['milliseconds_one_image_one_thread']:.2f} ms")
    return records


def latency(predict: Predict, images: Images) -> float:
    """Median seconds of a call with one image, the first ones in turn, after a few that warm up."""
    turns = cycle(images[:TIMES, None])
    return timing.seconds(lambda: predict(next(turns)), TIMES, 10)


def throughput(predict: Predict, images: Images) -> float:
    """Images a second, in batches."""
    batch = images[:BATCH]
    predict(batch)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        predict(batch)
        count += len(batch)
    return count / (time.perf_counter() - started)


def _batches(images: Images) -> list[Images]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
