"""The sections on the data and on the networks."""

from pathlib import Path
from typing import Any

import numpy as np

from modiste.data import sources
from modiste.errors import ModisteError
from modiste.imaging import png
from modiste.recipes.config import DataConfig
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult
from modiste.runs import files, parsing

Section = dict[str, Any]
"""The values of a section's template."""

Layers = tuple[tuple[str, str, int], ...]
"""Name, output size and number of parameters of each layer, in order of execution."""


def describe_data(data: ReportData, _: Texts) -> Section:
    """Return sample images of each class, and the number of images per split of each method."""
    run = next((result for result in data.own if result.run), None)
    config = run.recipe.data if run else DataConfig(val_fraction=0)
    name = run.dataset if run else "Fashion-MNIST"
    section: Section = {"samples": [], "reason": "", "splits": _image_count_rows(data), "dataset": name}
    try:
        samples = sources.first_of_each_class(config, 10)
    except ModisteError as error:
        return section | {"reason": str(error)}
    strips = [(name, np.concatenate(list(images), axis=1)) for name, images in samples if len(images)]
    return section | {"samples": [(name, png.data_url(png.encode(strip))) for name, strip in strips]}


def describe_networks(data: ReportData, _: Texts) -> Section:
    """Return the layers of each network, read from the runs' layers.json, with the runs that have these layers."""
    results_by_layers: dict[Layers, list[MethodResult]] = {}
    missing = []
    for result in data.runs:
        if result.run and result.run.layers.is_file():
            results_by_layers.setdefault(_read_layers(result.run.layers), []).append(result)
        else:
            missing.append(result.name)
    return {"networks": list(results_by_layers.items()), "missing": ", ".join(missing)}


def _read_layers(path: Path) -> Layers:
    content = files.read_json(path)
    with parsing.as_input_error(f"{path} is not a list of layers. Remove it to make the report without it."):
        return tuple(
            (
                str(layer["layer"]).replace(" x ", " × "),
                " × ".join(str(int(size)) for size in layer["output_shape"]),
                int(layer["parameters"]),
            )
            for layer in content
        )


def _image_count_rows(data: ReportData) -> list[list[object]]:
    """Return a row for each run: name, data, images for training, validation and test, and the fold held out."""
    rows: list[list[object]] = []
    for result in data.runs:
        images = result.info.images
        counts = [images.get("train"), images.get("validation"), result.images if result.split == "test" else None]
        texts = ["-" if count is None else f"{count:,}" for count in counts]
        rows.append([result.name, result.dataset, *texts, result.recipe.data.fold if images.get("validation") else "-"])
    return rows
