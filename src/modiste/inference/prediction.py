"""The record of a prediction: the same in Python, on the command line, in files and over HTTP."""

import re
from dataclasses import asdict, dataclass
from typing import Any

STDIN = "-"
"""`file` of a photo that is read from standard input."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one photo, or why there is none.

    Args:
        file: path of the photo as it was given; empty for a photo given as bytes or pixels.
        label: the most probable class, or "none of these" when the confidence is below the model's threshold, or the
            image is unlike those of training (`outliers`); None for a photo that cannot be used.
        probability: of that label; for "none of these" below the threshold 1 minus the confidence, and for an image
            unlike those of training the share of validation images that are more like them; or None.
        top: the most probable classes with their probabilities, best first.
        model: name of the model.
        error: one sentence on why there is no label; None when there is one.
        close_labels: the label and the classes of its group that are nearly as probable, such as kinds of shoe, with
            their probabilities, best first; empty where the label is clear. Not part of the record.
    """

    file: str
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...]
    model: str
    error: str | None = None
    close_labels: tuple[tuple[str, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON; `top` is a list of `{"label", "probability"}`."""
        record = asdict(self) | {"top": [{"label": label, "probability": value} for label, value in self.top]}
        del record["close_labels"]
        return record


def printable(text: str) -> str:
    """Return one line of valid Unicode: U+FFFD for each control character, line break and lone surrogate.

    So are the characters that change the direction of the text, after which a terminal shows another name.
    """
    return re.sub("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", "\ufffd", text)
