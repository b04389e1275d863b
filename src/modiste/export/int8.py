"""Quantization of a model to 8-bit integers with ONNX Runtime's static quantizer: a quarter of the size."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # type: ignore[import-untyped]
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

from modiste.runs import files
from modiste.runs.temporary_folder import temporary_folder

BATCH_SIZE = 32

logging.getLogger("onnxruntime.quantization").setLevel(logging.CRITICAL + 1)  # it logs tracebacks, then goes on

TEST_BYTES = 2**20
"""Written to find out whether a disk is full."""


def quantize(model: Path, images: NDArray[np.uint8]) -> bytes:
    """Quantize a model file; return the content of the new file, with the metadata of the old one.

    The images, uint8 [n, s, s] or [n, s, s, 3], set the ranges of the activations, which have 8 bits. Weights have 7,
    as ONNX Runtime advises for processors without 8-bit dot products, where a product of 8-bit numbers may overflow.

    Raises:
        OutputError: the folder of temporary files cannot be written to; nothing is left in it.
    """
    with _temporary_folder() as folder:
        preprocessed, quantized = Path(folder) / "preprocessed.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, preprocessed, skip_symbolic_shape=True)  # it does not support a free batch size
        nodes = onnx.load_model(preprocessed).graph.node
        quantize_static(
            preprocessed,
            quantized,
            _Batches(images),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # in 256 levels, small probabilities would become 0
            nodes_to_exclude=[node.name for node in nodes if node.op_type == "Softmax"],
        )
        return quantized.read_bytes()


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """Yield a folder that is removed in any case; the folders that ONNX Runtime makes are within it.

    Raises:
        OutputError: it cannot be written to. The quantizer has many exceptions for this, so any of them counts when
            nothing more can be written afterwards.
    """
    default, place = tempfile.tempdir, Path(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - named
    try:
        with temporary_folder() as folder:
            tempfile.tempdir = folder
            try:
                yield folder
            except Exception:
                _require_writable(Path(folder))
                raise
    except OSError as error:
        raise files.write_error(place, error) from error
    finally:
        tempfile.tempdir = default


def _require_writable(folder: Path) -> None:
    """Raise an OSError unless as much as a model can be written to a folder."""
    with (folder / "test").open("wb") as file:
        file.write(bytes(TEST_BYTES))
        file.flush()
        os.fsync(file.fileno())


def with_metadata(content: bytes, changes: dict[str, str]) -> bytes:
    """Return the content of a model file with some of its metadata changed."""
    model = onnx.load_model_from_string(content)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | changes)
    return bytes(model.SerializeToString())


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Gives the images to the quantizer in batches."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        starts = range(0, len(images), BATCH_SIZE)
        self.batches: Iterator[NDArray[np.uint8]] = iter([images[start : start + BATCH_SIZE] for start in starts])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"image": batch}
