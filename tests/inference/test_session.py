"""Models in several processes."""

import copy
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste.errors import InputError
from modiste.inference import load
from modiste.inference.model import Model
from modiste.inference.session import Session

IMAGES = np.stack([np.full((28, 28), value, np.uint8) for value in (0, 90, 255)])
LOADED = load(tiny_model(), threads=2)
"""Used before and after a fork."""


def predict(model: Model | None) -> list[list[float]]:
    """Return the probabilities of a model that was pickled, or of the one that a fork has."""
    return ((model or LOADED).models[0].probabilities(IMAGES)).tolist()


def test_a_model_is_pickled_with_its_content() -> None:
    """The session is made anew, and predicts the same."""
    for other in (pickle.loads(pickle.dumps(LOADED)), copy.deepcopy(LOADED)):  # noqa: S301 - pickled here
        assert predict(other) == predict(None)
        assert (other.sha256, other.name, other.session.threads) == (LOADED.sha256, LOADED.name, 2)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # the runtime has threads
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_model_is_used_after_a_fork() -> None:
    """In processes that inherit it, or receive it."""
    expected = predict(None)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(predict, [None, None, LOADED, LOADED], timeout=120)) == [expected] * 4


@pytest.mark.slow
def test_a_model_is_used_in_a_spawned_process() -> None:
    """Which receives it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(LOADED.models[0].probabilities, IMAGES).result(120).tolist() == predict(None)


def test_a_session_is_made_once_in_a_process() -> None:
    """And again in another one."""
    session = LOADED.models[0].session
    assert session.get() is session.get()
    before = session.get()
    session._process_and_session = -1, before
    assert session.get() is not before


def test_content_that_is_no_model_is_refused() -> None:
    """Also in a pickle."""
    with pytest.raises(InputError, match="not an ONNX model"):
        Session(b"\xff" * 10, "x.onnx", 1)
