"""The answer to a claim of the course report, and the verdict that an interval allows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from modiste.metrics.intervals import Interval
from modiste.metrics.significance import Comparison

MEASURE_RESNET18 = "modiste bench classic-resnet18 --seeds 2 --set model.weights=imagenet --name resnet18-imagenet"
BENCH_RESNET18, ABLATE_CNN = "modiste bench classic-resnet18 --seeds 3", "modiste ablate classic-cnn --seeds 6"
COMMANDS = {
    **dict.fromkeys(("cnn_accuracy", "cnn_loss"), "modiste bench classic-cnn"),
    **dict.fromkeys(("resnet18_accuracy", "resnet18_loss"), MEASURE_RESNET18),
    "cnn_better": BENCH_RESNET18,
    "overfit": BENCH_RESNET18,
    "stopping": f"{BENCH_RESNET18} --set early_stopping.patience=0 --name classic-resnet18-unstopped",
    **dict.fromkeys(("worst", "confused", "best"), "modiste train classic-cnn"),
    **dict.fromkeys(
        ("generalizes", "costs"),
        "modiste bench classic-cnn --set augmentation.random_crop_padding=4 --set augmentation.random_erasing_prob=0.5 "
        "--name classic-cnn-erasing",
    ),
    **dict.fromkeys(("xavier", "batch_norm"), ABLATE_CNN),
    "pretraining": (
        "modiste ablate classic-cnn --name transfer --set model.name=efficientnet_lite1 --set model.weights=imagenet "
        "--set model.init=default --set model.upscale=2 --only 'without ImageNet weights'"
    ),
    "tuning": "modiste tune classic-cnn",
}
"""The command that measures a claim."""

Verdict = Literal["holds", "fails", "not_distinguishable", "not_measured"]
Translate = Callable[[str], str]
"""Translates a class name, or a word between figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The check of a claim.

    Args:
        claim: its key.
        verdict: `not_distinguishable` where the interval allows both.
        sentence: key of the text that reports the figures.
        values: of the placeholders in the text.
        published: the same check against the results that come with modiste, which does not affect the verdict.
    """

    claim: str
    verdict: Verdict
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)
    published: "Answer | None" = None


def not_measured(claim: str, sentence: str = "no_run") -> Answer:
    """Return the answer to a claim that no result is about, with the command that measures it."""
    return Answer(claim, "not_measured", sentence, {"command": COMMANDS[claim]})


def to_verdict(interval: Interval | None, low: float = -math.inf, high: float = math.inf) -> Verdict:
    """Return whether an interval lies within bounds, outside of them, or neither; without one or its width, neither."""
    if interval is None or interval[0] == interval[1]:  # equal values show no spread
        return "not_distinguishable"
    if low <= interval[0] and interval[1] <= high:
        return "holds"
    return "fails" if interval[1] < low or high < interval[0] else "not_distinguishable"


def combine(verdicts: set[Verdict]) -> Verdict:
    """Return the verdict on a claim that holds if it holds each time, and fails if it fails once."""
    return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "not_distinguishable"


def interval_of(comparison: Comparison | None) -> Interval | None:
    """Return the interval of a comparison; None where there is no comparison or no spread."""
    return comparison.interval if comparison else None


def verdict_of(comparison: Comparison | None, low: float = -math.inf, high: float = math.inf) -> Verdict:
    """Return the verdict that a comparison allows; an approximate interval, or none, allows neither."""
    return to_verdict(None if comparison is None or comparison.is_approximate else comparison.interval, low, high)


def format_loss_interval(interval: Interval | None, to: str) -> str:
    """Format an interval of losses."""
    return "-" if interval is None else f"{interval[0]:.4f} {to} {interval[1]:.4f}"
