"""Which images each method predicted correctly: of evaluated runs, and of prediction files of other tools."""

import shlex
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data import sources
from modiste.data.split import CandidateLabels, Groups
from modiste.metrics.evaluation import evaluate_split
from modiste.metrics.probability_files import SUFFIXES
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import method_files
from modiste.reporting.results_table import MethodResult, RunResult
from modiste.runs import parsing
from modiste.runs.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class ImagePredictions:
    """Which images of a split a method predicted correctly.

    Args:
        labels: the name of each image's class, str [n], which tells whether two methods predicted the same images.
        is_correct: bool [n]; or of several seeds, bool [seeds, n].
        groups: int64 [n]; None where images do not belong together.
    """

    labels: NDArray[np.str_]
    is_correct: NDArray[np.bool_]
    groups: Groups | None = None


def read_predictions(method: MethodResult) -> ImagePredictions | None:
    """Read the predictions of a run from its probabilities.npz; None where these are not of its scores."""
    if method.run is None or method.scores is None or not method.run.probabilities.is_file():
        return None
    path = method.run.probabilities
    advice = f"{path} is damaged. Evaluate again: modiste evaluate {shlex.quote(str(method.run.path))}"
    with parsing.as_input_error(advice):
        content = _read_arrays(path)
        labels, predicted = content["labels"].astype(np.int64), content["probabilities"].argmax(1)
        candidate_labels: CandidateLabels | None = content.get("candidate_labels")
        is_correct = predicted == labels
        if candidate_labels is not None:
            is_correct = candidate_labels[np.arange(len(labels)), predicted]
        is_of_scores = len(labels) == method.scores.n and abs(is_correct.mean() - method.scores.accuracy) < 1e-6
        if str(content.get("split", method.split)) != method.split or not is_of_scores:
            return None
        return ImagePredictions(content["class_names"][labels], is_correct, content.get("groups"))


def _read_arrays(path: Path) -> dict[str, Any]:
    """Read all arrays of an .npz; raises ValueError if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error


def read_all(
    paths: list[Path], logits: list[Path], data: str | None = None, split: str = "test"
) -> tuple[list[MethodResult], dict[str, ImagePredictions]]:
    """Read runs, results files and prediction files, and the predictions of each image by the method's name.

    Args:
        paths: run folders, results files, and predictions of any tool as `read_probabilities` describes them.
        logits: prediction files that hold logits.
        data: of the prediction files; None for that of the first run, or Fashion-MNIST without one.
        split: of the prediction files, test or validation.
    """
    paths = method_files.unique_paths([*paths, *logits])
    is_logits = {path.resolve() for path in logits}
    methods: dict[Path, MethodResult] = {}
    predictions: dict[Path, ImagePredictions | None] = {}
    for path in (path for path in paths if not _is_prediction_file(path)):
        methods[path] = method_files.read_method(path)
        predictions[path] = read_predictions(methods[path])
    run = next((method for method in methods.values() if method.run), None)
    data = data or (run.recipe.data.source or None if run else None)
    for path in filter(_is_prediction_file, paths):
        methods[path], predictions[path] = _read_prediction_file(path, split, data, path.resolve() in is_logits)
    named = method_files.with_unique_names([methods[path] for path in paths], paths)
    return named, {
        method.name: images
        for method, path in zip(named, paths, strict=True)
        if (images := predictions[path]) is not None
    }


def _is_prediction_file(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.is_dir()


def _read_prediction_file(
    path: Path, split_name: str, data: str | None, is_logits: bool
) -> tuple[MethodResult, ImagePredictions]:
    """Evaluate the predictions of another tool, as a method with one training of which nothing else is recorded."""
    evaluation = evaluate_split(path, split_name, data, is_logits)
    scores, split = evaluation.scores, evaluation.split
    loss: float | None = scores.loss
    more = method_files.more_scores(scores)
    if not evaluation.has_probabilities:
        loss, more = None, {key: value for key, value in more.items() if key not in ("brier", "ece")}
    result = RunResult(0, scores.accuracy, loss, 0, 0, 0.0, more_scores=more)
    recipe = settings.with_settings(Recipe(), {"data.source": data}) if data else Recipe()
    method = MethodResult(path.name, recipe, split_name, scores.n, (result,), scores=scores)
    if data:
        method = replace(method, info=RunInfo(dataset=sources.dataset_name(recipe.data)))
    is_correct = split.is_correct(evaluation.probabilities.argmax(1))
    names = np.array([label.name for label in scores.per_class])
    return method, ImagePredictions(names[split.labels], is_correct, split.groups)
