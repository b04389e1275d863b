"""Occlusion sensitivity, in the library, on the command line and in the service."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.command import run_in_process
from helpers.models import tiny_model
from helpers.service import BOOT, Service
from modiste.imaging.heatmap import overlay
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference import load, occlusion


@pytest.mark.parametrize("shape", [(28, 28), (30, 30, 3)])
def test_an_occluded_cell_has_the_mean_color(shape: tuple[int, ...]) -> None:
    """All pixels of the cell, and no others."""
    image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    places = np.zeros((5, 5), bool)
    places[1, 1] = True
    masked = occlusion.occlude(image, places)
    side = -(-shape[0] // 5)
    changed = np.zeros(shape[:2], bool)
    changed[side : 2 * side, side : 2 * side] = True
    assert (masked[changed] == image.mean((0, 1)).round()).all()
    assert (masked[~changed] == image[~changed]).all()


def test_the_map_is_highest_where_the_model_looks() -> None:
    """For a model whose weights are 0 but in one cell, covering other cells changes nothing."""
    weights = np.zeros((784, 2), np.float32)
    weights.reshape(28, 28, 2)[8:12, 20:24, 1] = 0.01  # row 2, column 5 of the grid
    model = load(tiny_model(weights=weights))
    image = np.zeros((28, 28), np.uint8)
    image[8:12, 20:24] = 255
    heat = model.occlusion_map(image, 1)
    assert np.unravel_index(heat.argmax(), heat.shape) == (2, 5)
    assert (heat[np.abs(np.arange(7) - 2) > 1] == 0).all()
    assert (model.occlusion_map(image, 0) <= 0).all()


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_a_heat_map_of_a_tall_photo_is_over_what_matters(mode: str) -> None:
    """It is drawn over the image that the model takes, which shows the photo without a part, or with bars."""
    photo = np.zeros((240, 120, 3), np.uint8)
    photo[100:140, 10:50] = 255  # left of the center
    model = load(tiny_model(size=56, channels=3, metadata={"resize_mode": mode}))
    _, image = model.preprocess(photo)
    heat_map = model.occlusion_map(image, 1)
    background = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.NEAREST))
    heat = overlay(image, heat_map)[:, :, 0] - 0.45 * background[:, :, 0]  # red is highest in the brightest color
    rows, columns = (np.flatnonzero(background[:, :, 0].max(axis) > 128) for axis in (1, 0))
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert rows[0] <= row <= rows[-1]
    assert columns[0] <= column <= columns[-1]


def test_a_heat_map_is_drawn(tmp_path: Path) -> None:
    """`--heatmap` writes a PNG over the image that the network takes; the output is unchanged."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    output = run_in_process(tmp_path, "predict", "--heatmap=where.png", "boot.png").stdout
    assert output == run_in_process(tmp_path, "predict", "boot.png").stdout
    with Image.open(tmp_path / "where.png") as drawn:
        assert (drawn.size, drawn.mode) == ((224, 224), "RGB")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--heatmap=w.png", "boot.png", "boot.png"], "draws one photo"),
        (["--heatmap=w.png", "none.png"], "does not exist"),
        (["--heatmap=boot.png", "boot.png"], "needs a file of its own"),
        (["--heatmap=w.png", "--show=w.png", "boot.png"], "needs a file of its own"),
        (["--heatmap=w.jpg", "boot.png"], "must end in .png"),
        (["--show=w.png", "boot.png", "boot.png"], "--show draws one photo"),
        (["--show=w.jpg", "boot.png"], "--show is w.jpg, but it must end in .png"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn_is_an_error(tmp_path: Path, arguments: list[str], words: str) -> None:
    """One line, and no file."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    done = run_in_process(tmp_path, "predict", *arguments, code=2)
    assert words in done.stderr
    assert not (tmp_path / "w.png").exists()


def test_the_service_draws_it_too(service: Service) -> None:
    """With the query `heatmap=true` only."""
    _, drawn, _ = service.ask("POST", "/predict?heatmap=true", BOOT)
    _, plain, _ = service.ask("POST", "/predict", BOOT)
    assert drawn["heatmap"].startswith("data:image/png;base64,iVBOR")
    assert "heatmap" not in plain
    assert json.dumps(plain["top"]) == json.dumps(drawn["top"])
