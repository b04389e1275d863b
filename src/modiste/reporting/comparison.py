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

METADATA_BYTES = 512
"""The metadata of a PNG that Matplotlib writes come before the pixels, in this many bytes."""


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
        if path.name not in plots and path.is_file() and SOFTWARE.encode() in path.read_bytes()[:METADATA_BYTES]:
            path.unlink()
    return [out / name for name in plots]


def describe_different_data(methods: Sequence[MethodResult]) -> dict[str, str]:
    """Describe the data of each method, by its name; empty if all were trained and evaluated on the same data."""
    pairs = itertools.combinations(methods, 2)
    if all(_is_trained_on_same_data(*pair) and _is_evaluated_on_same_images(*pair) for pair in pairs):
        return {}
    return {method.name: _describe_data(method) for method in methods}


def _is_trained_on_same_data(one: MethodResult, other: MethodResult) -> bool:
    """Compare the checksums of the files; where one is not recorded, and for Fashion-MNIST, the names of the data."""
    checksums = {one.info.data_sha256, other.info.data_sha256}
    return one.dataset == other.dataset if "" in checksums or one.uses_fashion_mnist else len(checksums) == 1


def _is_evaluated_on_same_images(one: MethodResult, other: MethodResult) -> bool:
    """Compare what is recorded of both; a method that was not evaluated differs from none."""
    record, other_record = _evaluated_images(one), _evaluated_images(other)
    return all(record[key] == other_record[key] for key in record.keys() & other_record.keys())


def _evaluated_images(method: MethodResult) -> dict[str, object]:
    """Return what is recorded of the images that a method was evaluated on."""
    record: dict[str, object] = {"split": method.split, "images": method.images} if method.split else {}
    if method.scores:
        record["classes"] = {label.name: label.support for label in method.scores.per_class if label.support}
    if method.split in method.info.sha256:  # a checksum of pixels, so it differs with their number
        record[f"checksum at {method.recipe.data.image_size} pixels"] = method.info.sha256[method.split]
    return record


def _describe_data(method: MethodResult) -> str:
    evaluated = f"{method.split} split of {method.images:,} images" if method.split else "not evaluated"
    files_checksum = "" if method.uses_fashion_mnist else method.info.data_sha256
    images_checksum = method.info.sha256.get(method.split, "")
    return f"{method.dataset}{_shorten(files_checksum)}, {evaluated}{_shorten(images_checksum)}"


def _shorten(checksum: str) -> str:
    return f" (SHA-256 {checksum[:8]})" if checksum else ""
