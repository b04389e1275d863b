"""Measure the throughput of a training step, its time by kind of operation, and the limits of the machine.

    python benchmarks/machine.py sprint

It takes a minute with nothing else running and writes results/machine.json.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the command line sets it; read when torch is imported

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import timing
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from modiste.recipes import named
from modiste.runs import environment, results
from modiste.training import compute
from modiste.training.build import Training, build_training

REPEATS = 30
GIGA = 1e9

OPERATIONS = {
    "convolution": ("convolution",),
    "batch norm": ("batch_norm",),
    "matrix products of Muon and head": ("addmm", "mm", "linear"),
    "activation and pooling": ("relu", "threshold", "clamp", "pool", "amax", "mean"),
    "sums, copies, fills": ("add", "copy", "fill", "zero", "mul", "div", "where", "index", "cat", "sum"),
}
"""Kinds of operations and parts of their names in PyTorch; the first match counts."""


def median_seconds(function: Callable[[], object]) -> float:
    """Return the median seconds of a call, after one that warms up."""
    return timing.median_seconds(function, REPEATS, 1)


@torch.inference_mode()
def measure_limits(dtype: torch.dtype) -> dict[str, float]:
    """Return GFLOPS of a large matrix product and of a convolution, and GB/s of a memory copy."""
    square, source = torch.randn(2048, 2048, dtype=dtype), torch.randn(1 << 26)
    target = torch.empty_like(source)
    channels_last = torch.channels_last
    filters = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False, dtype=dtype).to(memory_format=channels_last)
    features = torch.randn(64, 64, 56, 56, dtype=dtype).to(memory_format=channels_last)
    return {
        "matrix_product": 2 * 2048**3 / GIGA / median_seconds(lambda: square @ square),
        "convolution": 64 * 2 * 9 * 64**2 * 56**2 / GIGA / median_seconds(lambda: filters(features)),
        # each byte is read and written
        "copy": 2 * source.nbytes / GIGA / median_seconds(lambda: target.copy_(source)),
    }


def make_step(training: Training) -> tuple[Callable[[], object], int]:
    """Return a function that does one training step, including its batch, and the batch size."""
    order = training.batches.order(0, training.state.losses)

    def run_step() -> None:
        _, images, labels = next(training.batches(0, order))
        training.step(images, labels, 1e-3, 0, 0)

    return run_step, training.batches.batch_size


def profile_operations(function: Callable[[], object]) -> dict[str, float]:
    """Return the fraction of a call's CPU time by kind of operation."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(REPEATS):
            function()
    microseconds: Counter[str] = Counter()
    for event in profiler.key_averages():
        name = event.key.removeprefix("aten::")
        matches = (kind for kind, words in OPERATIONS.items() if any(word in name for word in words))
        microseconds[next(matches, "other")] += event.self_cpu_time_total
    return {kind: value / microseconds.total() for kind, value in microseconds.most_common()}


def main() -> None:
    """Measure and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", nargs="?", default="sprint")
    parser.add_argument("--out", type=Path, default=Path("results/machine.json"))
    args = parser.parse_args()
    training = build_training(named.resolve(args.recipe))
    run_step, images = make_step(training)
    with FlopCounterMode(display=False) as counter:
        run_step()
    seconds, time_fractions = median_seconds(run_step), profile_operations(run_step)
    limits = measure_limits(training.step.precision)
    gigaflops = counter.get_total_flops() / GIGA / seconds
    convolution_flops = sum(n for name, n in counter.get_flop_counts()["Global"].items() if "convolution" in str(name))
    record = {
        "recipe": args.recipe,
        "limits": limits,
        "step_seconds": seconds,
        "images_a_second": images / seconds,
        "gigaflops": gigaflops,
        "gigaflops_of_its_convolutions": convolution_flops / GIGA / (seconds * time_fractions["convolution"]),
        "share_of_matrix_product": gigaflops / limits["matrix_product"],
        "parts": time_fractions,
        **compute.describe(training.batches.images.device, training.step.precision),
    }
    command = timing.current_command()
    results.write(args.out, recipe="machine", command=command, runs=[record | environment.describe()])
    print(args.out)


if __name__ == "__main__":
    main()
