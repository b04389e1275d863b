"""The record of a prediction: the same in Python, on the command line, in files and over HTTP.

Files and JSON have the names of photos as they are, so that two photos never have one name; where a terminal shows
them, `printable` replaces the characters that it acts upon.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

STDIN = "-"
"""`file` of a photo that is read from standard input."""

ASCII_CONTROLS = "\x00-\x1f"
OTHER_CONTROLS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
SURROGATES = "\ud800-\udfff"
"""Ranges of a regular expression: control characters and line breaks, those of Unicode with the ones that change the
direction of the text, after which a terminal shows another name, and lone surrogates, which are no text."""


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
        model: name of the model; empty for a photo that cannot be used.
        error: one sentence on why there is no label; None when there is one.
        close_labels: the label and the classes of its group that are nearly as probable, such as kinds of shoe, with
            their probabilities, best first; empty where the label is clear. Not part of the record.
        total: probability of all classes together: less than 1 for an image unlike those of training. Not part of the
            record.
    """

    file: str
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...]
    model: str
    error: str | None = None
    close_labels: tuple[tuple[str, float], ...] = ()
    total: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON; `top` is a list of `{"label", "probability"}`.

        Bytes of `file` that are not valid text are U+FFFD, since strict JSON readers reject lone surrogates.
        """
        record = asdict(self) | {"top": [{"label": label, "probability": value} for label, value in self.top]}
        record["file"] = replace_surrogates(self.file)
        del record["close_labels"], record["total"]
        return record


def printable(text: str) -> str:
    """Return one line of valid Unicode: U+FFFD for each control character, line break and lone surrogate."""
    return re.sub(f"[{ASCII_CONTROLS}{OTHER_CONTROLS}{SURROGATES}]", "\ufffd", text)


def replace_surrogates(text: str) -> str:
    """Return valid Unicode: U+FFFD for each lone surrogate, as file names have for bytes that are not UTF-8."""
    return re.sub(f"[{SURROGATES}]", "\ufffd", text)


def escape_json(text: str) -> str:
    """Return a JSON document without control characters: those that JSON allows in texts become its escapes."""
    return re.sub(f"[{OTHER_CONTROLS}]", lambda match: f"\\u{ord(match[0]):04x}", replace_surrogates(text))
