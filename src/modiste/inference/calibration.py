"""How sure a model is of what it says, and when it says that it does not know.

A network's own probabilities are too bold or too shy; a temperature, chosen on validation, mends that without touching
the order of the labels (Guo et al. 2017, arXiv 1706.04599). Below a threshold, chosen there too, no label is given.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-30
"""No probability counts as less when its logarithm is taken."""

TEMPERATURES = 0.01, 100.0
"""Beyond these nothing but zeros and ones, or nothing but equal shares, would be left."""

LabelGroups = tuple[tuple[int, ...], ...]
"""Groups of labels that the photos of a training did not tell apart, as the kinds of shoe."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a model's probabilities are to be taken.

    Args:
        temperature: what logits are divided by; above 1 makes it less sure.
        threshold: confidence below which "none of these" is said.
        label_groups: a model is sure of such labels label_groups: a shoe that may be a sneaker or a boot is surely a shoe.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    label_groups: LabelGroups = ()

    def calibrated(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Apply the temperature to probabilities [n, labels]."""
        if self.temperature == 1:
            return probabilities.astype(np.float64)
        logits = np.log(np.maximum(probabilities.astype(np.float64), FLOOR)) / self.temperature
        powers = np.exp(logits - logits.max(1, keepdims=True))
        shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
        return shares

    def confidence(self, calibrated: NDArray[np.float64]) -> NDArray[np.float64]:
        """How sure it is of each most probable label, [n]: its probability and that of the labels label_groups with it."""
        if not self.label_groups:
            return calibrated.max(1)  # type: ignore[no-any-return]
        kin = np.eye(calibrated.shape[1], dtype=bool)
        for group in self.label_groups:
            kin[np.ix_(group, group)] = True
        sure: NDArray[np.float64] = (calibrated * kin[calibrated.argmax(1)]).sum(1)
        return sure

    def facts(self, labels: tuple[str, ...]) -> dict[str, str]:
        """The metadata of a model file that says this."""
        named = [[labels[label] for label in group] for group in self.label_groups]
        return {
            "temperature": repr(self.temperature),
            "threshold": repr(self.threshold),
            "label_groups": json.dumps(named, ensure_ascii=False),
        }


def of(facts: dict[str, str], labels: tuple[str, ...]) -> Calibration:
    """Read what `facts` wrote; a file that does not say has the network's own probabilities.

    Raises:
        ValueError: a number is out of its range, or a label is unknown.
    """
    temperature, threshold = float(facts.get("temperature", 1)), float(facts.get("threshold", 0))
    if not (TEMPERATURES[0] <= temperature <= TEMPERATURES[1] and 0 <= threshold <= 1):
        raise ValueError("no temperature or threshold")
    named = json.loads(facts.get("label_groups", "[]"))
    if not isinstance(named, list) or not all(isinstance(group, list) for group in named):
        raise ValueError("no groups of labels")
    label_groups = tuple(tuple(map(labels.index, group)) for group in named)
    grouped = [label for group in label_groups for label in group]
    if len(grouped) > len(set(grouped)) or not all(label_groups):
        raise ValueError("a label is in two groups, or a group is empty")
    return Calibration(temperature, threshold, label_groups)
