"""A session of ONNX Runtime that works in several processes."""

import ctypes
import os
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from modiste.errors import InputError
from modiste.inference import onnx_safety
from modiste.inference.onnx_graph import UnsafeGraph, read_graph


class Session:
    """Runs an ONNX model; its content makes a new session of the runtime in every process that uses it.

    A runtime's session cannot be pickled, and after a fork it lacks its threads.

    Args:
        content: of the file, all of whose tensors must be in it.
        source: name of the file for error messages.
        threads: CPU threads; 0 is one per core.

    Raises:
        InputError: the content is not a model that can be run, refers to other files, or computes more than is allowed.
    """

    def __init__(self, content: bytes, source: str, threads: int) -> None:
        try:
            if onnx_safety.has_external_data(content):
                raise InputError(
                    f"{source} refers to other files, which is not allowed. Export it with all its weights."
                )
            self._graph = read_graph(content)
            onnx_safety.require_safe(self._graph)
        except UnsafeGraph as error:
            raise InputError(f"{source} is not run: {error}. Give a model that modiste exported.") from None
        except ValueError:
            raise InputError(
                f"{source} is truncated or not an ONNX model. Copy it again, or export it again."
            ) from None
        self.content, self.source, self.threads = content, source, threads
        self._process_and_session = os.getpid(), self._create()
        self._checked: set[int] = set()  # numbers of images

    def __reduce__(self) -> tuple[type["Session"], tuple[bytes, str, int]]:
        """Pickle the content; the session is made anew."""
        return Session, (self.content, self.source, self.threads)

    def run(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the probabilities of a batch of images; raises an UnsafeGraph, or what the runtime raises."""
        if len(images) not in self._checked:
            onnx_safety.require_safe(self._graph, len(images))
            self._checked.add(len(images))
        (output,) = self.get().run(["probabilities"], {"image": np.ascontiguousarray(images)})
        return np.asarray(output)

    def get(self) -> onnxruntime.InferenceSession:
        """Return the runtime's session of this process."""
        process, session = self._process_and_session
        if process != os.getpid():
            # its destructor would wait for threads that a forked process lacks, so it is never to be called
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
            session = self._create()
            self._process_and_session = os.getpid(), session
        return session

    def _create(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 4  # failures are reported by our own errors
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001  as in Model._run_batch
            raise InputError(
                f"{self.source} is not an ONNX model that can be run. Copy it again, or export it again."
            ) from None
