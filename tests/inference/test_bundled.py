"""The bundled models, and which of them is selected for a photo."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.models import tiny_model
from helpers.runs import write_run
from modiste import inference
from modiste.errors import InputError
from modiste.inference import bundled_files
from modiste.inference.bundled import BundledModels
from modiste.metrics.evaluation import evaluate_split

FIRST, LAST = "fashion-mnist", "second"
GRAY = np.random.default_rng(0).integers(256, size=(28, 28, 3), dtype=np.uint8)[:, :, :1].repeat(3, 2)
COLOR = GRAY * np.array([1, 0, 0], np.uint8)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second bundled model, of RGB photos."""
    content, file = tiny_model(size=32, channels=3), bundled_files.bundled_file
    (tmp_path / "second.onnx").write_bytes(content)
    monkeypatch.setattr(bundled_files, "NAMES", (FIRST, LAST))
    monkeypatch.setitem(bundled_files.SHA256, LAST, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(
        bundled_files, "bundled_file", lambda name: tmp_path / "second.onnx" if name == LAST else file(name)
    )


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("photo", "name"),
    [
        (GRAY, FIRST),
        (GRAY.repeat(2, 0).repeat(2, 1), FIRST),
        (np.concatenate([GRAY, GRAY]), LAST),
        (COLOR, LAST),
        (np.maximum(GRAY, 200), LAST),
        (GRAY * 0, LAST),
    ],
    ids=["28 x 28", "enlarged to 56 x 56", "56 x 28", "in color", "on white", "black"],
)
def test_a_photo_gets_the_model_that_fits(photo: NDArray[np.uint8], name: str) -> None:
    """What resembles Fashion-MNIST gets the first, all else the last; the record names it (fault 09)."""
    bundled = BundledModels(1)
    assert bundled.select_model(photo).name == name
    assert [prediction.model for prediction in bundled.predict([photo])] == [name]


@pytest.mark.usefixtures("two")
def test_photos_of_both_kinds_stay_in_their_order() -> None:
    """And so does the record of one that cannot be used."""
    predictions = inference.load(threads=1).predict([GRAY, b"", COLOR, GRAY])
    assert [each.model for each in predictions] == [FIRST, "", LAST, FIRST]
    assert [each.error is None for each in predictions] == [True, False, True, True]


@pytest.mark.usefixtures("two")
def test_a_model_is_loaded_once_when_it_is_first_needed() -> None:
    """Threads that need it at the same time get the same object."""
    bundled = BundledModels(1)
    with ThreadPoolExecutor(8) as pool:
        selected = list(pool.map(bundled.select_model, [GRAY] * 8))
    assert all(model is selected[0] for model in selected)
    assert list(bundled._loaded) == [FIRST]


@pytest.mark.parametrize("name", bundled_files.NAMES)
def test_a_bundled_model_is_the_pinned_one(name: str) -> None:
    """Other content is refused with the next step; the model card is beside the file."""
    content = bundled_files.bundled_file(name).read_bytes()
    bundled_files.verify_sha256(name, content)
    with pytest.raises(InputError, match="Install modiste again"):
        bundled_files.verify_sha256(name, content + b"x")
    assert name in (bundled_files.bundled_file(name).parent / f"{name}.md").read_text()
    assert len(content) <= 14e6


@pytest.mark.parametrize("name", ["photo", "photo/recipe.json"])
def test_a_name_that_is_also_a_model_file_or_a_run_here_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the two is taken without a word, in predictions and in evaluations; other folders do not matter."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fashion-mnist").mkdir()
    assert inference.load("fashion-mnist").name == "fashion-mnist"
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(tiny_model())
    for use in (inference.load, lambda model: evaluate_split(Path(model))):
        with pytest.raises(InputError, match=f"photo is the name of a bundled model and of {tmp_path}/photo"):
            use("photo")
    assert inference.load().models[-1].name == "photo"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mine", "runs/mine"),
        ("runs/mine", "runs/mine"),
        ("here", "here"),
        ("photo", "photo"),
        ("nowhere", "nowhere"),
        ("n" * 300, "n" * 300),
        (".", "."),
    ],
)
def test_a_run_is_located_by_its_name_in_runs(
    name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nothing of that name here, and it is not that of a bundled model."""
    monkeypatch.chdir(tmp_path)
    for run in ("mine", "here", "photo"):
        write_run(tmp_path / "runs" / run)
    Path("here").mkdir()
    assert bundled_files.find_path(name) == Path(expected)
