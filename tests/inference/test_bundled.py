"""The models of the package, each for the pictures that it fits."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.models import tiny_model
from modiste import inference
from modiste.errors import InputError
from modiste.inference import bundled_files
from modiste.inference.bundled import Bundled

FIRST, LAST = "fashion-mnist", "second"
GRAY = np.random.default_rng(0).integers(256, size=(28, 28, 3), dtype=np.uint8)[:, :, :1].repeat(3, 2)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second bundled model, of RGB photos."""
    content, file = tiny_model(size=32, channels=3), bundled_files.file
    (tmp_path / "second.onnx").write_bytes(content)
    monkeypatch.setattr(bundled_files, "NAMES", (FIRST, LAST))
    monkeypatch.setitem(bundled_files.SHA256, LAST, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(bundled_files, "file", lambda name: tmp_path / "second.onnx" if name == LAST else file(name))


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("photo", "name"),
    [
        (GRAY, FIRST),
        (GRAY[:27], LAST),
        (np.concatenate([GRAY, GRAY]), LAST),
        (GRAY + np.array([1, 0, 0], np.uint8), LAST),
        (np.maximum(GRAY, 200), LAST),
        (GRAY * 0, LAST),
    ],
    ids=["28-gray", "27-gray", "56-gray", "28-color", "on white", "black"],
)
def test_a_picture_gets_the_model_that_fits(photo: NDArray[np.uint8], name: str) -> None:
    """Gray of 28 x 28 on black gets the first, all else the last; the record says which (fault 09)."""
    bundled = Bundled(1)
    assert bundled.pick(photo).name == name
    assert [told.model for told in bundled.predict([photo])] == [name]


@pytest.mark.usefixtures("two")
def test_pictures_of_both_kinds_stay_in_their_order() -> None:
    """And one that cannot be used is told in its place."""
    told = inference.load(threads=1).predict([GRAY, b"", GRAY[:27], GRAY])
    assert [each.model for each in told] == [FIRST, "bundled", LAST, FIRST]
    assert [each.error is None for each in told] == [True, False, True, True]


@pytest.mark.usefixtures("two")
def test_a_model_is_loaded_when_it_is_needed_and_once() -> None:
    """Threads that need it at the same time get the same."""
    bundled = Bundled(1)
    with ThreadPoolExecutor(8) as pool:
        picked = list(pool.map(bundled.pick, [GRAY] * 8))
    assert all(model is picked[0] for model in picked)
    assert list(bundled._loaded) == [FIRST]


@pytest.mark.parametrize("name", bundled_files.NAMES)
def test_a_bundled_model_is_the_pinned_one(name: str) -> None:
    """Its card is beside it; another content is refused, and what to do is said."""
    content = bundled_files.file(name).read_bytes()
    bundled_files.require(name, content)
    with pytest.raises(InputError, match="Install modiste again"):
        bundled_files.require(name, content + b"x")
    assert name in (bundled_files.file(name).parent / f"{name}.md").read_text()
    assert len(content) <= 14e6
