"""Compare runs and results files, in figures."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from modiste.reporting import canvas, figures
from modiste.reporting.results_table import MethodResult, read_methods
from modiste.runs import files

SOFTWARE = "modiste compare"
"""Written into each figure, so that the next comparison can tell its figures from other files."""

FIGURE_NAME = re.compile(r"(loss|accuracy|accuracies|confusion-.*)\.png")


def compare(paths: Sequence[Path], out: Path | None = None) -> list[MethodResult]:
    """Read run folders and results files, and plot their figures into the folder `out` where it is named."""
    methods = read_methods(paths)
    if out:
        plot_figures(methods, out)
    return methods


def plot_figures(methods: Sequence[MethodResult], out: Path) -> list[Path]:
    """Write loss.png and accuracy.png of all runs, accuracies.png, and confusion-NAME.png of each evaluated run.

    Return their paths; figures without numbers are left out, and in a NAME that is a path, slashes are hyphens. Other
    figures that an earlier comparison wrote into the folder are removed.
    """
    files.make_folder(out)
    histories = {method.name: method.history for method in methods if method.history}
    best_epochs = {method.name: method.best_epoch for method in methods if method.history}
    plots = {}
    if histories:
        plots["loss.png"] = figures.plot_curve(histories, "loss", best_epochs)
        plots["accuracy.png"] = figures.plot_curve(histories, "accuracy", best_epochs)
    bars = [(m.name, m.accuracy, m.interval_images) for m in methods if m.accuracy is not None and m.interval_images]
    if bars:
        plots["accuracies.png"] = figures.plot_accuracies(bars)
    scores = {re.sub(r"[^\w.-]+", "-", m.name).strip("-"): m.scores for m in methods if m.scores}
    plots |= {f"confusion-{name}.png": figures.plot_confusion_matrix(each) for name, each in scores.items()}
    for name, figure in plots.items():
        canvas.save_png(figure, out / name, SOFTWARE)
    for path in out.glob("*.png"):
        is_old_figure = path.name not in plots and FIGURE_NAME.fullmatch(path.name) and path.is_file()
        if is_old_figure and SOFTWARE.encode() in path.read_bytes():
            path.unlink()
    return [out / name for name in plots]


def describe_different_data(methods: Sequence[MethodResult]) -> dict[str, str]:
    """Describe the data of each method, by its name; empty if all were trained and evaluated on the same data."""
    if all(itertools.starmap(_is_same_data, itertools.combinations(map(_record_data, methods), 2))):
        return {}
    return {method.name: _describe_data(method) for method in methods}


def _is_same_data(one: dict[str, object], other: dict[str, object]) -> bool:
    """Compare what is recorded of both; the name of the data only where a checksum of its files is missing."""
    keys = one.keys() & other.keys()
    return all(one[key] == other[key] for key in keys if key != "dataset" or "files" not in keys)


def _record_data(method: MethodResult) -> dict[str, object]:
    """Return what is recorded of the files trained on and of the images evaluated on."""
    record: dict[str, object] = {"dataset": method.dataset}
    if method.uses_fashion_mnist or method.info.data_sha256:  # the former is the same however its files are packed
        record["files"] = "" if method.uses_fashion_mnist else method.info.data_sha256
    if method.split:
        record |= {"split": method.split, "images": method.images}
    if method.scores:
        record["classes"] = {label.name: label.support for label in method.scores.per_class if label.support}
    if method.split in method.info.sha256:  # a checksum of pixels, so it differs with how they are made
        data = method.recipe.data
        pixels = f"{data.image_size} pixels, {data.channels} channels, {data.resize_mode}"
        record[f"checksum of {pixels}"] = method.info.sha256[method.split]
    return record


def _describe_data(method: MethodResult) -> str:
    evaluated = f"{method.split} split of {method.images:,} images" if method.split else "not evaluated"
    files_checksum = "" if method.uses_fashion_mnist else method.info.data_sha256
    checksums = {method.dataset: files_checksum, evaluated: method.info.sha256.get(method.split, "")}
    return ", ".join(f"{text} (SHA-256 {sha256[:8]})" if sha256 else text for text, sha256 in checksums.items())
