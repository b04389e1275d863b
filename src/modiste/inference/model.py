"""A loaded model, and the interface that it shares with the bundled models: photos in, predictions out."""

import json
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError, SettingError
from modiste.imaging.decode import Photo
from modiste.imaging.preprocess import PhotoInput, as_photos, open_photo, to_image
from modiste.inference import occlusion, tta
from modiste.inference.calibration import Calibration
from modiste.inference.onnx_safety import batch_size
from modiste.inference.outliers import OutlierDetector
from modiste.inference.prediction import Prediction, printable
from modiste.inference.session import Session
from modiste.labels import NONE_OF_THESE

CHUNK_SIZE = 32
"""Photos that a thread takes at a time."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities of an image may be from a sum of 1."""


class Predictor(ABC):
    """Predict photos with a model, or with several from which one is selected for each photo."""

    name: str
    sha256: str
    """Of the model files: equal when the same photo gets the same prediction."""

    @property
    @abstractmethod
    def models(self) -> "tuple[Model, ...]":
        """All models that can be selected, loaded."""

    @abstractmethod
    def select_model(self, photo: Photo) -> "Model":
        """Return the model for a photo, uint8 [h, w, 3]."""

    def preprocess(self, photo: PhotoInput) -> "tuple[Model, NDArray[np.uint8]]":
        """Return the model for a photo and its input image, uint8 `image_shape`; raises InputError as `open_photo`."""
        with open_photo(photo) as decoded:
            model = self.select_model(decoded)
            return model, to_image(decoded, model.image_size, model.channels, model.is_on_black, model.resize_mode)

    def predict(self, photos: PhotoInput | Iterable[PhotoInput], top: int = 3) -> list[Prediction]:
        """Return one record per photo, in the same order; for a photo that cannot be used, one with an error.

        Args:
            photos: one photo or an iterable of photos. A photo is a path, the bytes of a file, an open binary file, a
                Pillow image, or an array.
            top: number of classes in each record.

        Raises:
            InputError: the model fails, or returns values that are not probabilities.
            SettingError: `top` is below 1.
        """
        return list(self.stream(photos, top))

    def stream(self, photos: PhotoInput | Iterable[PhotoInput], top: int = 3, threads: int = 1) -> Iterator[Prediction]:
        """Yield what `predict` returns, in bounded memory; raises as `predict`.

        Each of the threads decodes and predicts `CHUNK_SIZE` photos at a time; load models with one thread for this.
        """
        if top < 1:
            raise SettingError(f"top is {top}, but it must be at least 1.")
        remaining = iter(as_photos(photos))
        running: deque[Future[list[Prediction]]] = deque()
        is_cancelled = Event()
        pool = ThreadPoolExecutor(threads, "predict")
        try:
            while chunk := list(islice(remaining, CHUNK_SIZE)):
                running.append(pool.submit(self._predict_chunk, chunk, top, is_cancelled))
                if len(running) > threads:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            is_cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)  # a model that never returns must not block Ctrl-C

    def _predict_chunk(self, photos: list[PhotoInput], top: int, is_cancelled: Event) -> list[Prediction]:
        """Predict some photos, one batch per model; nothing once the caller has stopped reading."""
        predictions: dict[int, Prediction] = {}
        batches: dict[str, tuple[Model, dict[int, NDArray[np.uint8]]]] = {}
        for index, photo in enumerate(photos):
            if is_cancelled.is_set():
                return []
            try:
                model, image = self.preprocess(photo)
                batches.setdefault(model.name, (model, {}))[1][index] = image
            except InputError as error:
                predictions[index] = Prediction("", None, None, (), "", printable(str(error)))
        for model, images in batches.values():
            predictions |= zip(images, model.predict_images(np.stack(list(images.values())), top), strict=True)
        names = [str(photo) if isinstance(photo, str | Path) else "" for photo in photos]
        return [replace(predictions[index], file=name) for index, name in enumerate(names)]


@dataclass(frozen=True, slots=True)
class Model(Predictor):
    """A loaded model.

    Args:
        name: of the run or file that it was loaded from.
        sha256: of the file.
        class_names: the columns of `probabilities`.
        image_size, channels: of its images: pixels a side, and 1 for gray or 3 for RGB.
        resize_mode: how photos become square, a key of `resize.RESIZE_MODES`.
        metadata: the file's metadata, as text: `recipe`, `scores`, `temperature`, ...
        calibration: applied to its probabilities when photos are predicted.
        tta_threshold, tta_crop: threshold and crop of its test-time augmentation, see `tta.average_views`.
        session: of ONNX Runtime, made anew in each process.
        outliers: detects images unlike those of training; None: every image is predicted by the network alone.
    """

    name: str
    sha256: str
    class_names: tuple[str, ...]
    image_size: int
    channels: int
    resize_mode: str
    metadata: dict[str, str]
    calibration: Calibration
    tta_threshold: float
    tta_crop: float
    session: Session
    outliers: OutlierDetector | None = None

    @property
    def recipe_json(self) -> str:
        """The recipe of its training, as in `recipe.json`; empty when the file has none."""
        return self.metadata.get("recipe", "")

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The scores in the file, by split: finite numbers only, everything else is left out."""
        try:
            splits = json.loads(self.metadata.get("scores", "{}"))
            return {
                split: {k: float(v) for k, v in scores.items() if isinstance(v, int | float) and math.isfinite(v)}
                for split, scores in splits.items()
                if isinstance(scores, dict)
            }
        except (ValueError, AttributeError, OverflowError, RecursionError):
            return {}

    @property
    def is_on_black(self) -> bool:
        """Whether photos are prepared as Fashion-MNIST was: a gray model was trained on bright images on black."""
        return self.metadata.get("background", "black") == "black"

    @property
    def label_groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups of `Calibration.label_groups`, by class names."""
        return tuple(tuple(self.class_names[label] for label in group) for group in self.calibration.label_groups)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (s, s) or (s, s, 3)."""
        return (self.image_size, self.image_size) if self.channels == 1 else (self.image_size, self.image_size, 3)

    @property
    def models(self) -> "tuple[Model, ...]":
        """This model."""
        return (self,)

    def select_model(self, photo: Photo) -> "Model":
        """Return this model."""
        return self

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities before calibration, float32 [n, classes], for images, uint8 [n, s, s] or [n, s, s, 3].

        Raises:
            InputError: the images have another shape or dtype, or the model returns values that are not probabilities.
        """
        return tta.average_views(self._forward(images), images, self._forward, self.tta_threshold, self.tta_crop)

    @property
    def can_abstain(self) -> bool:
        """Whether some images are "none of these"."""
        is_unsure = self.calibration.threshold > 0
        return is_unsure or self.outliers is not None or NONE_OF_THESE in self.class_names

    def occlusion_map(self, image: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
        """Return how much each part of an image, uint8 as `image_shape`, supports a class; raises as `probabilities`.

        See `occlusion.occlusion_map`. Without test-time augmentation: otherwise the map would show where the threshold
        is crossed.
        """
        return occlusion.occlusion_map(self._forward, image, label)

    def predict_images(self, images: NDArray[np.uint8], top: int) -> list[Prediction]:
        """Return one record per image, with `top` classes and an empty `file`; images and errors as `probabilities`."""
        calibrated = self.calibration.calibrate(self.probabilities(images))
        confidences = self.calibration.confidence(calibrated)
        is_outlier = self.outliers.is_outlier(images) if self.outliers else np.zeros(len(images), bool)
        rows = zip(calibrated, confidences.tolist(), is_outlier.tolist(), strict=True)
        return [self._to_prediction(*row, top) for row in rows]

    def _forward(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network in batches, without test-time augmentation; raises as `probabilities`."""
        shape = self.image_shape
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise InputError(
                f"The images are {images.dtype} {list(images.shape)}, but model {self.name} takes uint8 "
                f"{['n', *shape]}. Preprocess them with size {self.image_size} and {self.channels} channels."
            )
        step = batch_size(shape)
        batches = [self._run_batch(images[start : start + step]) for start in range(0, len(images), step)]
        return np.concatenate(batches) if batches else np.empty((0, len(self.class_names)), np.float32)

    def _run_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            probabilities = self.session.run(images)
        except Exception:  # noqa: BLE001  the runtime's exceptions have no base class of their own
            raise InputError(f"Model {self.name} failed on {len(images)} images. Export it again.") from None
        is_valid = probabilities.shape == (len(images), len(self.class_names)) and (probabilities >= 0).all()
        if not is_valid or np.abs(probabilities.sum(1) - 1).max() > SUM_TOLERANCE:
            raise InputError(
                f"Model {self.name} returns {list(probabilities.shape)} values for {len(images)} images and "
                f"{len(self.class_names)} classes, or values that are not probabilities. Export it again."
            )
        return probabilities.astype(np.float32, copy=False)

    def _to_prediction(
        self, probabilities: NDArray[np.float64], confidence: float, is_outlier: bool, top: int
    ) -> Prediction:
        none, total = 1 - confidence, 1.0
        if is_outlier and self.outliers:
            none, total = self.outliers.coverage, 1 - self.outliers.coverage
            probabilities = probabilities * total
        named: list[tuple[str, float]] = [*zip(self.class_names, probabilities.tolist(), strict=True)]
        best = tuple(named[label] for label in np.argsort(-probabilities, kind="stable")[:top])
        label, probability = best[0]
        if is_outlier or (confidence < self.calibration.threshold and label != NONE_OF_THESE):
            return Prediction("", NONE_OF_THESE, none, best, self.name, total=total)
        close_labels = tuple(named[label] for label in self.calibration.close_labels(probabilities))
        return Prediction("", label, probability, best, self.name, close_labels=close_labels)
