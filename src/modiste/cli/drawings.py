"""The drawings of `modiste predict`: the heat map of a photo, and the photo after each stage of preprocessing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modiste.inference.prediction import STDIN

if TYPE_CHECKING:
    from modiste.imaging.preprocess import PhotoInput
    from modiste.inference.model import Predictor


def require_drawable(drawings: dict[str, Path], names: list[str]) -> None:
    """Raise a SettingError unless each drawing is of one photo and is written to a file of its own."""
    from modiste.errors import SettingError

    for option in drawings:
        if len(names) != 1 or names == [STDIN]:
            raise SettingError(f"{option} draws one photo. Give the path of one.")
    paths = [os.path.realpath(path) for path in (*drawings.values(), *(names if drawings else ()))]
    if len(set(paths)) < len(paths):
        raise SettingError("Each drawing needs a file of its own, which is not the photo. Give another name.")


def write_drawings(drawings: dict[str, Path], photo: "PhotoInput", predictor: "Predictor") -> None:
    """Draw a photo into the file of each option."""
    from modiste.runs.files import follow_link, write_bytes

    for option, path in drawings.items():
        draw = _heatmap_png if option == "--heatmap" else _stages_png
        write_bytes(follow_link(path), draw(photo, predictor))


def _heatmap_png(photo: "PhotoInput", predictor: "Predictor") -> bytes:
    """Draw the occlusion map of the most probable class over the image that the model takes."""
    from modiste.imaging import png
    from modiste.imaging.heatmap import overlay

    model, image = predictor.preprocess(photo)
    label = int(model.probabilities(image[None]).argmax())
    return png.encode(overlay(image, model.occlusion_map(image, label)))


def _stages_png(photo: "PhotoInput", predictor: "Predictor") -> bytes:
    """Draw the photo after each stage of preprocessing."""
    import numpy as np

    from modiste.imaging.contact_sheet import contact_sheet
    from modiste.imaging.preprocess import preprocessing_steps

    model, _ = predictor.preprocess(photo)
    steps = preprocessing_steps(photo, model.image_size, model.channels, model.is_on_black, model.resize_mode)
    rows = [(f"{name}\n{image.width} x {image.height}", np.asarray(image)[None]) for name, image in steps]
    return contact_sheet(rows, side=224)
