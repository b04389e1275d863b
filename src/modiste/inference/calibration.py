"""Calibration of a model's probabilities, and the confidence below which it predicts "none of these".

Networks are usually overconfident. A temperature corrects this without changing the order of the classes (Guo et al.
2017, arXiv 1706.04599). Predictions below a confidence are replaced by "none of these" (selective classification,
Chow 1970; Geifman and El-Yaniv 2017, arXiv 1705.08500). Both values are chosen on the validation split.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = float(np.finfo(np.float32).tiny)
"""Probabilities are raised to this, the smallest normal float32, before a logarithm: a zero costs 87.3 nats."""

TEMPERATURES = 0.01, 100.0
"""Lowest and highest: beyond them probabilities become zeros and ones, or all equal."""

GROUP_COVERAGE = 0.9
"""Share of a group's probability that the classes named for a photo have together at least."""

LabelGroups = tuple[tuple[int, ...], ...]
"""Groups of classes that the training data does not distinguish, such as the kinds of shoe."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How probabilities become a prediction.

    Args:
        temperature: logits are divided by it; above 1 lowers the confidence.
        threshold: confidence below which the prediction is "none of these".
        label_groups: classes whose probabilities are added up for the confidence, such as the kinds of shoe.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    label_groups: LabelGroups = ()

    def calibrate(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Apply the temperature to probabilities, [n, classes]."""
        if self.temperature == 1:
            return probabilities.astype(np.float64)
        logits = np.log(np.maximum(probabilities.astype(np.float64), FLOOR)) / self.temperature
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)  # type: ignore[no-any-return]

    def confidence(self, calibrated: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each most probable class and its group, [n], from those of `calibrate`."""
        in_group = np.eye(calibrated.shape[1], dtype=bool)
        for group in self.label_groups:
            in_group[np.ix_(group, group)] = True
        return (calibrated * in_group[calibrated.argmax(1)]).sum(1)  # type: ignore[no-any-return]

    def close_labels(self, probabilities: NDArray[np.float64]) -> tuple[int, ...]:
        """Return the classes of the most probable one's group that are too close to it to leave out, best first.

        These are the fewest classes that have `GROUP_COVERAGE` of the group's probability together; empty where the
        most probable class has it alone, or is in no group. `probabilities` are one image's, [classes], calibrated.
        """
        best = int(probabilities.argmax())
        group = next((group for group in self.label_groups if best in group), ())
        ordered = sorted(group, key=lambda label: -probabilities[label])
        shares = np.cumsum(probabilities[ordered])
        count = 1 + int((shares[:-1] < GROUP_COVERAGE * shares[-1:]).sum())
        return tuple(ordered[:count]) if count > 1 else ()

    def to_metadata(self, class_names: tuple[str, ...]) -> dict[str, str]:
        """Return the metadata of a model file that `from_metadata` reads; groups are written by class names."""
        named_groups = [[class_names[label] for label in group] for group in self.label_groups]
        return {
            "temperature": repr(self.temperature),
            "threshold": repr(self.threshold),
            "label_groups": json.dumps(named_groups, ensure_ascii=False),
        }


def from_metadata(metadata: dict[str, str], class_names: tuple[str, ...]) -> Calibration:
    """Read what `to_metadata` wrote; missing keys have the defaults, which change nothing.

    Raises:
        ValueError: a number is out of its range, or a class is unknown or in two groups.
    """
    temperature, threshold = float(metadata.get("temperature", 1)), parse_probability(metadata.get("threshold", "0"))
    if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
        raise ValueError("temperature out of range")
    named_groups = json.loads(metadata.get("label_groups", "[]"))
    if not isinstance(named_groups, list) or not all(isinstance(group, list) for group in named_groups):
        raise ValueError("not a list of groups")
    label_groups = tuple(tuple(map(class_names.index, group)) for group in named_groups)
    grouped = [label for group in label_groups for label in group]
    if len(grouped) > len(set(grouped)) or not all(label_groups):
        raise ValueError("a class is in two groups, or a group is empty")
    return Calibration(temperature, threshold, label_groups)


def parse_probability(text: str) -> float:
    """Read a number from 0 to 1; raises ValueError for anything else."""
    if not 0 <= float(text) <= 1:
        raise ValueError("not a probability")
    return float(text)
