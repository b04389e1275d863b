"""Compare runs, results files and prediction files, in statements and figures."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modiste.errors import InputError
from modiste.reporting import canvas, figures, pairwise, predictions
from modiste.reporting.difference_figure import DifferenceRow, plot_differences
from modiste.reporting.formatting import format_count
from modiste.reporting.pairwise import Pair
from modiste.reporting.results_table import MethodResult
from modiste.runs import files


@dataclass(frozen=True, slots=True)
class ComparedMethods:
    """What `modiste.compare` returns.

    Args:
        inputs: the result of each run, results file and prediction file, in their order.
        methods: the same, with runs that differ in seed or fold alone combined.
        pairs: the comparison of each pair of methods.
        figures: the files that were written.
    """

    inputs: tuple[MethodResult, ...]
    methods: tuple[MethodResult, ...]
    pairs: tuple[Pair, ...]
    figures: tuple[Path, ...] = ()


def compare(
    paths: Sequence[Path],
    out: Path | None = None,
    *,
    logits: Sequence[Path] = (),
    data: str | None = None,
    split: str = "test",
    figure_format: str = "png",
) -> ComparedMethods:
    """Compare methods by their accuracy, and plot their figures into the folder `out` where it is named.

    Args:
        paths: run folders, results files, and predictions of any tool as `probability_files.read_probabilities` has it.
        out: folder of the figures.
        logits: more prediction files, which hold logits.
        data: folder of the data of prediction files; None for that of the first run, else Fashion-MNIST.
        split: of prediction files, test or validation.
        figure_format: png, svg or pdf.

    Raises:
        InputError: there is no path, or one cannot be used.
    """
    if not paths and not logits:
        raise InputError("There is nothing to compare. Give run folders, results files or prediction files.")
    inputs, images = predictions.read_all(list(paths), list(logits), data, split)
    methods = pairwise.pool_methods(inputs, images)
    results, pairs = tuple(method.result for method in methods), tuple(pairwise.compare_pairs(methods))
    figure_paths = plot_figures(inputs, out, results, pairs, figure_format) if out else []
    return ComparedMethods(tuple(inputs), results, pairs, tuple(figure_paths))


def plot_figures(
    inputs: Sequence[MethodResult],
    out: Path,
    methods: Sequence[MethodResult],
    pairs: Sequence[Pair],
    figure_format: str = "png",
) -> list[Path]:
    """Write loss and accuracy of all runs, accuracies and differences of all methods, and confusion-NAME of each run.

    Return their paths; figures without numbers are left out, and in a NAME that is a path, slashes are hyphens. Files
    of the same name are replaced, and no others are changed.
    """
    files.make_folder(out)
    histories = {method.name: method.history for method in inputs if method.history}
    best_epochs = {method.name: method.best_epoch for method in inputs if method.history}
    plots = {}
    if histories:
        plots["loss"] = figures.plot_curve(histories, "loss", best_epochs)
        plots["accuracy"] = figures.plot_curve(histories, "accuracy", best_epochs)
    bars = [(m.name, m.accuracy, m.interval_images) for m in methods if m.accuracy is not None and m.interval_images]
    if bars:
        title = "accuracy, 95 % interval over images" + ", not over seeds" * any(m.n > 1 for m in methods)
        plots["accuracies"] = figures.plot_accuracies(bars, xlabel=title)
    rows = [
        DifferenceRow(
            f"{pair.first} - {pair.second}", main.difference, main.interval, main.minimum_detectable_difference
        )
        for pair in pairs
        if (main := pair.main) and main.interval
    ]
    if rows:
        plots["differences"] = plot_differences(rows)
    scores = {re.sub(r"[^\w.-]+", "-", m.name).strip("-"): m.scores for m in inputs if m.scores}
    plots |= {f"confusion-{name}": figures.plot_confusion_matrix(each) for name, each in scores.items()}
    paths = {out / f"{name}.{figure_format}": figure for name, figure in plots.items()}
    for path, figure in paths.items():
        canvas.save(figure, path, "modiste compare")
    return list(paths)


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
    evaluated = f"{method.split} split of {format_count(method.images, 'image')}" if method.split else "not evaluated"
    files_checksum = "" if method.uses_fashion_mnist else method.info.data_sha256
    checksums = {method.dataset: files_checksum, evaluated: method.info.sha256.get(method.split, "")}
    return ", ".join(f"{text} (SHA-256 {sha256[:8]})" if sha256 else text for text, sha256 in checksums.items())
