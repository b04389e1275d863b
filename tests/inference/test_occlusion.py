"""Occlusion sensitivity, in the library, on the command line and in the service."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.command import run_in_process
from helpers.models import tiny_model
from helpers.service import BOOT, serving
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


def test_the_service_draws_it_too() -> None:
    """With the query `heatmap=true` only."""
    with serving() as service:
        _, drawn, _ = service.ask("POST", "/predict?heatmap=true", BOOT)
        _, plain, _ = service.ask("POST", "/predict", BOOT)
    assert drawn["heatmap"].startswith("data:image/png;base64,iVBOR")
    assert "heatmap" not in plain
    assert json.dumps(plain["top"]) == json.dumps(drawn["top"])
