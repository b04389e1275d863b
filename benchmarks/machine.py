"""How near a training step comes to the machine's limits, and where its time goes, all measured in one run.

    python benchmarks/machine.py sprint

Takes a minute of the whole machine. Writes results/machine.json.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the command line has it; read when torch is imported

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

TIMES = 30
GIGA = 1e9

PARTS = {
    "convolution": ("convolution",),
    "batch norm": ("batch_norm",),
    "matrix products of Muon and head": ("addmm", "mm", "linear"),
    "activation and pooling": ("relu", "threshold", "clamp", "pool", "amax", "mean"),
    "sums, copies, fills": ("add", "copy", "fill", "zero", "mul", "div", "where", "index", "cat", "sum"),
}
"""What the names of PyTorch's operations are counted as, the first that fits."""


def seconds(work: Callable[[], object]) -> float:
    """Median time of a call, after one that warms up."""
    return timing.seconds(work, TIMES, 1)


@torch.inference_mode()
def limits(dtype: torch.dtype) -> dict[str, float]:
    """What the machine does at best: gigaflops of a matrix product and of a convolution, gigabytes copied a second."""
    square, large = torch.randn(2048, 2048, dtype=dtype), torch.randn(1 << 26)
    other = torch.empty_like(large)
    last = torch.channels_last
    filters = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False, dtype=dtype).to(memory_format=last)
    features = torch.randn(64, 64, 56, 56, dtype=dtype).to(memory_format=last)
    return {
        "matrix_product": 2 * 2048**3 / GIGA / seconds(lambda: square @ square),
        "convolution": 64 * 2 * 9 * 64**2 * 56**2 / GIGA / seconds(lambda: filters(features)),
        "copy": 2 * large.nbytes / GIGA / seconds(lambda: other.copy_(large)),  # read and written
    }


def step(made: Training) -> tuple[Callable[[], object], int]:
    """A step of the training, batch and all, and how many images it takes."""
    order = made.batches.order(0, made.state.losses)

    def one() -> None:
        _, images, labels = next(made.batches(0, order))
        made.step(images, labels, 1e-3, 0, 0)

    return one, made.batches.batch_size


def parts(work: Callable[[], object]) -> dict[str, float]:
    """Share of a step's time by kind of operation."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(TIMES):
            work()
    spent: Counter[str] = Counter()
    for event in found.key_averages():
        name = event.key.removeprefix("aten::")
        fitting = (part for part, words in PARTS.items() if any(word in name for word in words))
        spent[next(fitting, "all else")] += event.self_cpu_time_total
    return {part: spent[part] / spent.total() for part, _ in spent.most_common()}


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", nargs="?", default="sprint")
    parser.add_argument("--out", type=Path, default=Path("results/machine.json"))
    given = parser.parse_args()
    made = build_training(named.resolve(given.recipe))
    one, images = step(made)
    with FlopCounterMode(display=False) as counter:
        one()
    taken, spent = seconds(one), parts(one)
    best = limits(made.step.precision)
    speed = counter.get_total_flops() / GIGA / taken
    convolved = sum(n for name, n in counter.get_flop_counts()["Global"].items() if "convolution" in str(name))
    record = {
        "recipe": given.recipe,
        "limits": best,
        "step_seconds": taken,
        "images_a_second": images / taken,
        "gigaflops": speed,
        "gigaflops_of_its_convolutions": convolved / GIGA / (taken * spent["convolution"]),
        "share_of_matrix_product": speed / best["matrix_product"],
        "parts": spent,
        **compute.describe(made.batches.images.device, made.step.precision),
    }
    command = timing.command()
    results.write(given.out, recipe="machine", command=command, runs=[record | environment.describe()])
    print(given.out)


if __name__ == "__main__":
    main()
