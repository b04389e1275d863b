"""One picture, looked at: the work of a thread of the desk."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError
from modiste.images.heat import overlay
from modiste.images.sheet import png
from modiste.inference.model import Model
from modiste.inference.occlusion import LOOKS
from modiste.inference.prediction import Prediction
from modiste.inference.predictor import Predictor
from modiste.web import refused
from modiste.web.refused import Refused

Answer = tuple[dict[str, Any], Refused | None]
"""A prediction's record, and why it has no label."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a request wants to know of its pictures.

    Args:
        predictor: who is asked.
        top: how many labels to tell.
        sees: whether to show the image that the network sees, as a PNG in a data URL.
        heatmap: whether to show where it sees its label, likewise, which takes far longer.
    """

    predictor: Predictor
    top: int
    sees: bool
    heatmap: bool

    @property
    def cost(self) -> int:
        """How many times a model looks at each picture."""
        return 1 + (LOOKS if self.heatmap else 0)

    def __call__(self, picture: bytes) -> Answer:
        """Look at a picture, a whole file; the record is the one that `modiste predict --json` prints."""
        try:
            model, image = self.predictor.prepared(picture)
        except InputError as error:
            refusal = refused.by(error)
            return Prediction("", None, None, (), self.predictor.name, refusal.message).as_dict(), refusal
        try:
            (told,) = model.told(image[None], self.top)
            return told.as_dict() | self._drawn(model, image, told), None
        except InputError:
            raise Refused(500, "The model failed on this picture. Tell the owner of the service.") from None

    def _drawn(self, model: Model, image: NDArray[np.uint8], told: Prediction) -> dict[str, str]:
        drawn = {"sees": _url(png(image))} if self.sees else {}
        if self.heatmap:
            evidence = model.evidence(image, model.labels.index(told.top[0][0]))
            drawn["heatmap"] = _url(png(overlay(image, evidence)))
        return drawn


def _url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
