"""A model file: uint8 images in, probabilities out. The only home of onnxruntime but for its quantizer.

The file is ONNX as `modiste train` writes it. Its input `image` is uint8 [n, s, s] or [n, s, s, 3], its output
`probabilities` float32 [n, labels]; labels, size and recipe are in its metadata. It is checked and then handed to the
runtime as bytes, so what was checked is what is run.
"""

import json
import math
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from modiste.errors import InputError
from modiste.imaging.decode import Photo
from modiste.inference import bundled_files, calibration, occlusion, onnx_safety
from modiste.inference.calibration import Calibration
from modiste.inference.prediction import Prediction, printable
from modiste.inference.predictor import Predictor
from modiste.labels import NONE_OF_THESE

FORMAT = "modiste-2"
"""Of the metadata; a file that says otherwise is not read."""

MAX_BYTES = 512 * 2**20
MAX_SIZE = 1024
"""Pixels a side; recipes go to half of it."""

MAX_BATCH = 512
MAX_BATCH_VALUES = 224 * 224 * 3
"""Input values a batch: one photo at a time is a quarter faster than seven, as its activations stay in the cache."""


@dataclass(frozen=True, slots=True)
class Model(Predictor):
    """A loaded model.

    Args:
        name: of the run or file it came from.
        class_names: what the columns of `probabilities` mean.
        image_size: pixels a side of its images.
        channels: 1 gray, 3 RGB.
        metadata: all of the file's metadata, as text: `recipe`, `scores`, `temperature`, ...
        calibration: how its probabilities are to be taken when a picture is predicted.
        tta_threshold: an image of which no label is as probable as this is looked at once more, flip_tta; 0 is never.
        session: the runtime's.
    """

    name: str
    class_names: tuple[str, ...]
    image_size: int
    channels: int
    metadata: dict[str, str]
    calibration: Calibration
    tta_threshold: float
    session: onnxruntime.InferenceSession

    @property
    def recipe_json(self) -> str:
        """The recipe it was trained with, as `recipe.json` has it; empty when the file does not say."""
        return self.metadata.get("recipe", "")

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """What the file says of how good it is, by split; what cannot be read as that is left out."""
        try:
            found = json.loads(self.metadata.get("scores", "{}"))
            splits = {split: told for split, told in found.items() if isinstance(told, dict)}
            return {
                split: {key: float(n) for key, n in told.items() if _is_number(n)} for split, told in splits.items()
            }
        except (ValueError, AttributeError, OverflowError, RecursionError):
            return {}

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities, float32 [n, labels], for images, uint8 [n, s, s] or [n, s, s, 3].

        They are the network's own, before the temperature; where there is a second look, the mean over both.

        Raises:
            InputError: the images have another shape or type, or the model gives what are no probabilities.
        """
        found = self._forward(images)
        unsure = found.max(1) < self.tta_threshold
        if unsure.any():
            found[unsure] = found[unsure] / 2 + self._forward(images[unsure][:, :, ::-1]) / 2
        return found

    def evidence(self, image: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
        """Return how much each place of an image, uint8 as `image_shape`, speaks for a label: see `occlusion.evidence`.

        All by one look each, or else it would tell where the second one differs.

        Raises:
            InputError: as `probabilities`.
        """
        return occlusion.evidence(self._forward, image, label)

    @property
    def names(self) -> tuple[str, ...]:
        """Its own."""
        return (self.name,)

    @property
    def models(self) -> "tuple[Model, ...]":
        """Itself alone."""
        return (self,)

    def pick(self, photo: Photo) -> "Model":
        """Itself."""
        return self

    def predict_images(self, images: NDArray[np.uint8], top: int) -> list[Prediction]:
        """Predict images, uint8 as `image_shape`: a record each, of no file.

        Raises:
            InputError: as `probabilities`.
        """
        calibrated = self.calibration.calibrated(self.probabilities(images))
        confidence = self.calibration.confidence(calibrated)
        return [self._told(row, sure, top) for row, sure in zip(calibrated, confidence.tolist(), strict=True)]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (s, s) or (s, s, 3)."""
        return (self.image_size, self.image_size) if self.channels == 1 else (self.image_size, self.image_size, 3)

    def _forward(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network says of each image, in batches; raises as `probabilities`."""
        shape = self.image_shape
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise InputError(
                f"The images are {images.dtype} {list(images.shape)}, but model {self.name} takes uint8 "
                f"{['n', *shape]}. Prepare them with size {self.image_size} and {self.channels} channels."
            )
        step = max(1, min(MAX_BATCH, MAX_BATCH_VALUES // int(np.prod(shape))))
        batches = [self._run(images[start : start + step]) for start in range(0, len(images), step)]
        return np.concatenate(batches) if batches else np.empty((0, len(self.class_names)), np.float32)

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            (output,) = self.session.run(["probabilities"], {"image": np.ascontiguousarray(images)})
        except Exception:  # noqa: BLE001  the runtime's exceptions have no base of their own
            raise InputError(f"Model {self.name} failed on {len(images)} images. Export it anew.") from None
        probabilities = np.asarray(output)
        if probabilities.shape != (len(images), len(self.class_names)) or not np.isfinite(probabilities).all():
            raise InputError(
                f"Model {self.name} gives {list(probabilities.shape)} numbers for {len(images)} images and "
                f"{len(self.class_names)} labels, or some that are no numbers. Export it anew."
            )
        return probabilities.astype(np.float32, copy=False)

    def _told(self, probabilities: NDArray[np.float64], sure: float, top: int) -> Prediction:
        best = np.argsort(-probabilities, kind="stable")[:top]
        told = tuple((self.class_names[label], float(probabilities[label])) for label in best)
        if sure < self.calibration.threshold:
            own = dict(zip(self.class_names, probabilities.tolist(), strict=True))
            return Prediction("", NONE_OF_THESE, own.get(NONE_OF_THESE, 1 - sure), told, self.name)
        return Prediction("", *told[0], told, self.name)


def load(model: str | Path | bytes, threads: int = 0) -> Model:
    """Load a model.

    Args:
        model: path of an .onnx file that modiste wrote, or its content, or the name of a bundled one.
        threads: CPU threads; 0 is one a core.

    Raises:
        InputError: the file is missing, too large, damaged, points outside itself, or is not of modiste's making.
    """
    content, name, where = _read(model)
    name = printable(name)
    _require_closed(content, where)
    session = _session(content, where, threads)
    facts = _facts(session)
    if facts.get("format") != FORMAT:
        raise InputError(
            f"{where} is no model that modiste wrote (its format is {facts.get('format')!r}, not {FORMAT!r}). "
            "Give a model.onnx from a run."
        )
    try:
        labels, size, channels = _labels(facts["class_names"]), int(facts["image_size"]), int(facts["channels"])
        sure, tta_threshold = calibration.of(facts, labels), _second_look(facts)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise InputError(
            f"{where} lacks its labels or its size, or says wrongly how sure it is. Export it anew from its run."
        ) from None
    loaded = Model(name, labels, size, channels, facts, sure, tta_threshold, session)
    _require_contract(loaded, where)
    return loaded


def _read(model: str | Path | bytes) -> tuple[bytes, str, str]:
    """Return content, name, and what to call the file in an error."""
    if isinstance(model, bytes):
        return model, "model", "The model"
    if model in bundled_files.NAMES:
        content = _content(bundled_files.file(str(model)), "Install modiste again.")
        bundled_files.require(str(model), content)
        return content, str(model), f"The bundled model {model}"
    path = Path(model)
    name = path.resolve().parent.name if path.name == "model.onnx" else path.stem
    advice = f"Give the model.onnx of a run, another that modiste wrote, or one of {', '.join(bundled_files.NAMES)}."
    return _content(path, advice), name, str(path)


def _content(file: Traversable, advice: str) -> bytes:
    if not file.is_file():
        what = "is a folder, no model" if file.is_dir() else "does not exist"
        raise InputError(f"{file} {what}. {advice}")
    try:
        with file.open("rb") as stream:
            content = bytes(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}). Check its permissions.") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MiB, so it is no model of clothes. {advice}")
    return content


def _require_closed(content: bytes, where: str) -> None:
    """Raise an InputError unless all that the model needs is in its file."""
    try:
        outside = onnx_safety.points_outside(content)
    except ValueError:
        raise InputError(f"{where} is truncated or no ONNX model. Copy it again, or export it anew.") from None
    if outside:
        raise InputError(
            f"{where} wants to read other files, which is not candidate_labels. Export it with all its weights."
        )


def _session(content: bytes, where: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # failures are told in our words
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001  as in Model._run
        raise InputError(f"{where} is no ONNX model that can be run. Copy it again, or export it anew.") from None


def _facts(session: onnxruntime.InferenceSession) -> dict[str, str]:
    """The metadata; empty where it is no text."""
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError:
        return {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _labels(text: str) -> tuple[str, ...]:
    """Read the labels from JSON; raises ValueError when they are no list of texts."""
    labels = json.loads(text)
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError("no list of labels")
    return tuple(labels)


def _second_look(facts: dict[str, str]) -> float:
    """Read it, 0 where the file does not say; raises ValueError when it is no probability."""
    tta_threshold = float(facts.get("tta_threshold", 0))
    if not 0 <= tta_threshold <= 1:
        raise ValueError("no probability")
    return tta_threshold


def _require_contract(model: Model, where: str) -> None:
    """Raise an InputError unless inputs and outputs are those that the metadata speaks of, at a size that images have.

    The sizes are compared too, so that no metadata can ask for more memory than its network takes.
    """
    inputs = [(given.name, given.type, tuple(given.shape[1:])) for given in model.session.get_inputs()]
    outputs = {output.name for output in model.session.get_outputs()}
    wanted = [("image", "tensor(uint8)", model.image_shape)]
    sane = 1 <= model.image_size <= MAX_SIZE and model.channels in (1, 3)
    if not sane or inputs != wanted or "probabilities" not in outputs:
        raise InputError(
            f"{where} does not turn uint8 images {['n', *model.image_shape]} into probabilities, as its metadata says. "
            "Export it anew from its run."
        )
