"""The one record of a prediction: in Python, on the command line, in files and over HTTP."""

import re
from dataclasses import dataclass
from typing import Any

STDIN = "-"
"""What the picture on standard input is called."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one picture, or why it says nothing.

    Args:
        file: the path that was given; empty for a picture that came as bytes or pixels.
        label: the most probable label, or "none of these" when the model is not sure enough of it, though it finds
            others more probable; None when the picture cannot be used.
        probability: of that label, 0 to 1; for a model that has no label "none of these", what its confidence lacks to 1;
            None likewise.
        top: the most probable labels with their probabilities, best first.
        model: name of the model.
        error: one sentence on why there is no label; None when there is one.
    """

    file: str
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...]
    model: str
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON has it; `top` is a list of `{"label", "probability"}`."""
        return {
            "file": self.file,
            "label": self.label,
            "probability": self.probability,
            "top": [{"label": label, "probability": probability} for label, probability in self.top],
            "model": self.model,
            "error": self.error,
        }


def printable(text: str) -> str:
    """The text as one line that can be shown: a mark for each control character, and for each byte that is no UTF-8."""
    known = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", known)
