"""One way in: training, the command and the service make the very same image of a picture."""

import base64
import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.service import SAMPLES
from modiste import inference
from modiste.data import sources
from modiste.images.prepare import photo_of, to_image
from modiste.recipes.recipe import Data
from modiste.web.look import Look

GOLDEN = {
    ("coat.jpg", 28, 1): "9965bb1ec0b7bbd4ac60e32675badf7f3ac5e15a2c6e9faa6abdfd587f26b479",
    ("coat.jpg", 160, 3): "312c19543a05f008f3d1f62533c4451fc96006d89ce6f60359156beffa9111ad",
    ("shirt.jpg", 160, 3): "1cbfeb303cbc5ac6e2b35771b3a9f90f640296f3d3e778b7fe649cdc8a125281",
    ("t-shirt-top.jpg", 160, 3): "48cf4462026e240bdd0486be0eaffa7dd8e3d43663751a353cccd32ec9fd89af",
    ("bag.png", 28, 1): "0407610b557c03834baad96a28f1298bf78b5c0875a80b9c0fb3bed6e2dbd79d",
    ("bag.png", 160, 3): "1304759d9c0dbd61b5ef6947beee506e14f3515e71df3bdf92fff5c433ab96ab",
}
"""SHA-256 of the pixels that become of a sample; a change of these is another model's business too."""


@pytest.mark.parametrize(("name", "size", "channels"), GOLDEN)
def test_a_sample_always_becomes_the_same_pixels(name: str, size: int, channels: int, tmp_path: Path) -> None:
    """As path, bytes, pixels, and as a training reads it."""
    path, golden = SAMPLES / name, GOLDEN[name, size, channels]
    for picture in (path, path.read_bytes(), photo_of(path)):
        assert hashlib.sha256(to_image(picture, size, channels).tobytes()).hexdigest() == golden
    for label in ("one", "other"):
        (tmp_path / label).mkdir()
        shutil.copy(path, tmp_path / label)
    trained = sources.open_training(Data(str(tmp_path), size, channels, validation=0), seed=0).train.images
    assert {hashlib.sha256(image.tobytes()).hexdigest() for image in trained} == {golden}


@pytest.mark.parametrize("name", ["bag.png"])
def test_the_service_shows_these_pixels(name: str) -> None:
    """What the page calls "what the network sees" is what it sees."""
    told, _ = Look(inference.load(), 1, sees=True, heatmap=False)((SAMPLES / name).read_bytes())
    with Image.open(io.BytesIO(base64.b64decode(told["sees"].partition(",")[2]))) as seen:
        size, channels = seen.width, len(seen.getbands())
        assert hashlib.sha256(np.asarray(seen).tobytes()).hexdigest() == GOLDEN[name, size, channels]
