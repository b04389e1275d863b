"""One picture, looked at: the work of a thread of the queue."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError
from modiste.imaging.contact_sheet import png
from modiste.imaging.heatmap import overlay
from modiste.inference.model import Model, Predictor
from modiste.inference.occlusion import FORWARD_PASSES
from modiste.inference.prediction import Prediction
from modiste.web import http_error
from modiste.web.http_error import HttpError

Answer = tuple[dict[str, Any], HttpError | None]
"""A prediction's record, and why it has no label."""


@dataclass(frozen=True, slots=True)
class PredictionTask:
    """What a request wants to know of its pictures.

    Args:
        predictor: who is asked.
        top: how many labels to tell.
        preview: whether to show the image that the network preview, as a PNG in a data URL.
        heatmap: whether to show where it preview its label, likewise, which takes far longer.
    """

    predictor: Predictor
    top: int
    preview: bool
    heatmap: bool

    @property
    def cost(self) -> int:
        """How many times a model looks at each picture."""
        return 1 + (FORWARD_PASSES if self.heatmap else 0)

    def __call__(self, picture: bytes) -> Answer:
        """PredictionTask at a picture, a whole file; the record is the one that `modiste predict --json` prints."""
        try:
            model, image = self.predictor.preprocess(picture)
        except InputError as error:
            unusable = http_error.by(error)
            return Prediction("", None, None, (), self.predictor.name, unusable.message).as_dict(), unusable
        try:
            (told,) = model.predict_images(image[None], self.top)
            return told.as_dict() | self._drawn(model, image, told), None
        except InputError:
            raise HttpError(500, "The model failed on this picture. Tell the owner of the service.") from None

    def _drawn(self, model: Model, image: NDArray[np.uint8], told: Prediction) -> dict[str, str]:
        drawn = {"preview": _url(png(image))} if self.preview else {}
        if self.heatmap:
            evidence = model.occlusion_map(image, model.class_names.index(told.top[0][0]))
            drawn["heatmap"] = _url(png(overlay(image, evidence)))
        return drawn


def _url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
