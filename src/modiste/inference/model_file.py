"""Read a model file: ONNX as `modiste train` writes it, checked before ONNX Runtime gets it.

Its input `image` is uint8 [n, s, s] or [n, s, s, 3], its output `probabilities` float32 [n, classes]. The metadata keys
are format, class_names, image_size, channels, recipe, scores, temperature, threshold, label_groups, tta_threshold and
tta_crop (0 and 1 where they are missing), resize_mode ("squash" where it is missing), background ("other" where gray
training images were not on black: photos are only scaled, not inverted, for the model) and outliers (see there).
The file is read once and passed to the runtime as bytes, so that what was checked is what runs.
"""

import hashlib
import json
from importlib.resources.abc import Traversable
from pathlib import Path

from modiste.errors import InputError
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference import bundled_files, calibration, outliers
from modiste.inference.model import Model
from modiste.inference.onnx_safety import MAX_SIDE
from modiste.inference.prediction import printable
from modiste.inference.session import Session

FORMAT = "modiste-2"
"""Value of the metadata key `format`."""

MAX_BYTES = 512 * 2**20
"""Of a file."""

MAX_TEXT = 4 * 2**20
"""Characters of a text of the metadata."""

MAX_NAME_LENGTH = 255
"""Of a class: that of a folder."""


def load(model: str | Path | bytes, threads: int = 0) -> Model:
    """Load a model.

    Args:
        model: path of an .onnx file that modiste wrote, its content, or the name of a bundled model.
        threads: CPU threads; 0 is one per core.

    Raises:
        InputError: the file is missing, too large or damaged, refers to other files, or was not written by modiste.
    """
    content, name, source = _read_model(model)
    session = Session(content, source, threads)
    try:
        metadata = dict(session.get().get_modelmeta().custom_metadata_map)
        _require_format(metadata.get("format"), source)
        _require_short_texts(metadata)
        class_names = _parse_class_names(metadata["class_names"])
        image_size, channels = int(metadata["image_size"]), int(metadata["channels"])
        resize_mode = _parse_resize_mode(metadata.get("resize_mode", "squash"))
        calibrated = calibration.from_metadata(metadata, class_names)
        tta_threshold = calibration.parse_probability(metadata.get("tta_threshold", "0"))
        tta_crop = calibration.parse_probability(metadata.get("tta_crop", "1"))
        detector = outliers.from_metadata(metadata, channels, len(class_names))
    except (KeyError, ValueError, TypeError, RecursionError):
        raise InputError(
            f"{source} has incomplete or invalid metadata (classes, image size, resize mode or calibration). Export "
            "it again from its run."
        ) from None
    sha256 = hashlib.sha256(content).hexdigest()
    loaded = Model(
        printable(name),
        sha256,
        class_names,
        image_size,
        channels,
        resize_mode,
        metadata,
        calibrated,
        tta_threshold,
        tta_crop,
        session,
        detector,
    )
    _require_declared_shapes(loaded, source)
    return loaded


def _read_model(model: str | Path | bytes) -> tuple[bytes, str, str]:
    """Return the content, the model's name, and the file's name for error messages."""
    if isinstance(model, bytes):
        return model, "model", "The model"
    if model in bundled_files.NAMES:
        content = _read_file(bundled_files.bundled_file(str(model)), "Install modiste again.")
        bundled_files.verify_sha256(str(model), content)
        return content, str(model), f"The bundled model {model}"
    path = Path(model)
    name = path.resolve().parent.name if path.name == "model.onnx" else path.stem
    advice = f"Give a run folder, an .onnx file of modiste, or a bundled model: {', '.join(bundled_files.NAMES)}."
    return _read_file(path, advice), name, str(path)


def _read_file(file: Traversable, advice: str) -> bytes:
    try:
        if not file.is_file():
            reason = "is a folder, not a model" if file.is_dir() else "does not exist or is not a file"
            raise InputError(f"{file} {reason}. {advice}")
        with file.open("rb") as stream:
            content = bytes(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}). Check its permissions.") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MiB, more than any model of modiste. {advice}")
    return content


def _require_format(file_format: str | None, source: str) -> None:
    if file_format == "modiste-1":
        raise InputError(f"{source} was written by an older version of modiste. Train the model again.")
    if file_format != FORMAT:
        raise InputError(f"{source} was not written by modiste. Give a model.onnx from a run.")


def _require_short_texts(metadata: dict[str, str]) -> None:
    """Raise a ValueError if a text other than `outliers`, whose length depends on the classes, is too long."""
    if any(len(text) > MAX_TEXT for key, text in metadata.items() if key != outliers.KEY):
        raise ValueError("a text is too long")


def _parse_class_names(text: str) -> tuple[str, ...]:
    """Read a JSON list of different texts, as `printable` gives them; raises ValueError when it is anything else."""
    names = json.loads(text)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("not a list of names")
    escaped = tuple(map(printable, names))
    if len(set(escaped)) < len(names) or not all(0 < len(name) <= MAX_NAME_LENGTH for name in escaped):
        raise ValueError("two classes have one name, or a name is empty or too long")
    return escaped


def _parse_resize_mode(text: str) -> str:
    """Return the text; raises ValueError when it is no key of `RESIZE_MODES`."""
    if text not in RESIZE_MODES:
        raise ValueError("not a resize mode")
    return text


def _require_declared_shapes(model: Model, source: str) -> None:
    """Raise an InputError unless the graph has the input and output that the metadata declares, of a sensible size.

    Otherwise a size in the metadata alone would decide how much memory a prediction takes.
    """
    inputs = [(each.name, each.type, tuple(each.shape[1:])) for each in model.session.get().get_inputs()]
    outputs = {output.name for output in model.session.get().get_outputs()}
    expected = [("image", "tensor(uint8)", model.image_shape)]
    is_sensible = 1 <= model.image_size <= MAX_SIDE and model.channels in (1, 3)
    if not is_sensible or inputs != expected or "probabilities" not in outputs:
        raise InputError(
            f"{source} does not map uint8 images {['n', *model.image_shape]} to probabilities, as its metadata "
            "declares. Export it again from its run."
        )
