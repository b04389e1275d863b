"""Predict one photo: the work that a thread of the queue does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError, UnsupportedPhoto
from modiste.imaging import png
from modiste.imaging.heatmap import overlay
from modiste.inference.model import Model, Predictor
from modiste.inference.occlusion import FORWARD_PASSES
from modiste.inference.prediction import Prediction
from modiste.web.http_error import HttpError
from modiste.web.request_reader import MAX_BODY, MIB

Result = tuple[dict[str, Any], HttpError | None]
"""The JSON record of a prediction, and the reason when it has no label."""


@dataclass(frozen=True, slots=True)
class PredictionTask:
    """The options of a request, applied to each of its photos.

    Args:
        predictor: the model, or the models of which one is chosen for each photo.
        top: number of classes in `top` of the record.
        preview: add the image that the model receives, as a PNG in a data URL.
        heatmap: add the occlusion heat map of the best class, as a PNG in a data URL; this takes many forward passes.
    """

    predictor: Predictor
    top: int
    preview: bool
    heatmap: bool

    @property
    def cost(self) -> int:
        """Number of forward passes for each photo."""
        return 1 + (FORWARD_PASSES if self.heatmap else 0)

    def __call__(self, photo: bytes) -> Result:
        """Predict an encoded photo; the record is the one that `modiste predict --json` prints.

        Raises:
            HttpError: the model failed (500).
        """
        if len(photo) > MAX_BODY:
            return self._failure(413, f"The photo is larger than {MAX_BODY // MIB} MiB. Send a smaller one.")
        try:
            model, image = self.predictor.preprocess(photo)
        except InputError as reason:
            return self._failure(415 if isinstance(reason, UnsupportedPhoto) else 422, str(reason))
        try:
            (prediction,) = model.predict_images(image[None], self.top)
            return prediction.as_dict() | self._figures(model, image, prediction.top[0][0]), None
        except InputError:
            raise HttpError(500, "The model failed on this photo. Report it to the operator of the service.") from None

    def _failure(self, status: int, message: str) -> Result:
        return Prediction("", None, None, (), "", message).as_dict(), HttpError(status, message)

    def _figures(self, model: Model, image: NDArray[np.uint8], label: str) -> dict[str, str]:
        """Draw the requested figures of an image, uint8 of the model's `image_shape`, as data URLs."""
        figures = {"preview": png.data_url(image)} if self.preview else {}
        if self.heatmap:
            occlusion_map = model.occlusion_map(image, model.class_names.index(label))
            figures["heatmap"] = png.data_url(overlay(image, occlusion_map))
        return figures
