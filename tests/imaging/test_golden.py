"""Training, the command and the service make the same image of a photo."""

import hashlib
import shutil
from pathlib import Path
from typing import Literal

import pytest

from helpers.models import tiny_model
from helpers.photos import clothes, saved
from helpers.service import SAMPLES
from modiste import inference
from modiste.data import sources
from modiste.imaging.preprocess import to_image, to_photo
from modiste.imaging.resize import RESIZE_MODES
from modiste.imaging.thumbnails import read_url
from modiste.recipes.config import DataConfig
from modiste.web.prediction_task import PredictionTask

GOLDEN = {
    ("coat.jpg", 28, 1): "9965bb1ec0b7bbd4ac60e32675badf7f3ac5e15a2c6e9faa6abdfd587f26b479",
    ("coat.jpg", 224, 3): "d47538209b537b3753042b34b8986b0c34be7cf9a182570752c76244fc3bcef4",
    ("shirt.jpg", 224, 3): "89e6ae87b99aaa1b1db54498f05f1bd779ef662590a2ae55e1561b70f9618c5b",
    ("t-shirt-top.jpg", 224, 3): "ba7ecd09f7f6719a59b517b694d2d0ff65aebb1a6d021242157abb1182539103",
    ("bag.png", 28, 1): "0407610b557c03834baad96a28f1298bf78b5c0875a80b9c0fb3bed6e2dbd79d",
    ("bag.png", 224, 3): "d68a8896aeaae0756159ff74f44a5d32015b944f68b475e811b1a1259f297fce",
}
"""SHA-256 of the image of each sample. The bundled models were trained on images made in this way."""

MODES: dict[int, Literal["squash", "letterbox"]] = {1: "squash", 3: "letterbox"}
"""How the bundled models make a photo square, by their channels."""


@pytest.mark.parametrize(("name", "size", "channels"), GOLDEN)
def test_a_sample_always_becomes_the_same_pixels(name: str, size: int, channels: int, tmp_path: Path) -> None:
    """As path, bytes, pixels, and as a training reads it."""
    path, golden = SAMPLES / name, GOLDEN[name, size, channels]
    for photo in (path, path.read_bytes(), to_photo(path)):
        image = to_image(photo, size, channels, resize_mode=MODES[channels])
        assert hashlib.sha256(image.tobytes()).hexdigest() == golden
    for label in ("one", "other"):
        (tmp_path / label).mkdir()
        shutil.copy(path, tmp_path / label)
    config = DataConfig(str(tmp_path), size, channels, MODES[channels], val_fraction=0)
    trained = sources.open_training(config, seed=0).train.images
    assert {hashlib.sha256(image.tobytes()).hexdigest() for image in trained} == {golden}


@pytest.mark.parametrize("name", ["coat.jpg", "bag.png"])
def test_the_service_shows_these_pixels(name: str) -> None:
    """The preview is the input of the network."""
    response, _ = PredictionTask(inference.load(), 1, preview=True, heatmap=False)((SAMPLES / name).read_bytes())
    shown = read_url(response["preview"])
    assert hashlib.sha256(shown.tobytes()).hexdigest() == GOLDEN[name, len(shown), 1 if shown.ndim == 2 else 3]


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_training_and_prediction_see_the_same_pixels(mode: str, tmp_path: Path) -> None:
    """The image of a training, of the model that it exports, of the stages and of the page, in each resize mode."""
    for label, shape in {"dark": (90, 40), "bright": (50, 80)}.items():
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.png").write_bytes(saved(clothes(*shape)))
    config = DataConfig(str(tmp_path), 32, 3, resize_mode=mode, val_fraction=0)  # type: ignore[arg-type]
    model = inference.load(tiny_model(size=32, channels=3, metadata={"resize_mode": mode}))
    trained = sources.open_training(config, seed=0).train.images
    for image, path in zip(trained, sorted(tmp_path.glob("*/*.png")), strict=True):
        assert (model.preprocess(path)[1] == image).all()
        response, _ = PredictionTask(model, 1, preview=True, heatmap=False)(path.read_bytes())
        assert (read_url(response["preview"]) == image).all()
