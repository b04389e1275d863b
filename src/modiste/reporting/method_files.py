"""Read run folders and results files as methods that can be compared and reported."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.inference.prediction import printable
from modiste.metrics.scores import SPLITS, Scores, read_scores
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.reporting.results_table import SCORES, MethodResult, RunResult
from modiste.runs import folder, metrics_file, parsing, results, run_info

SEED_FOLDER = re.compile(r"(seed|fold)-[0-9]+")
"""Name of a run of `modiste bench` in the folder of its recipe."""


def read_methods(paths: Sequence[Path]) -> list[MethodResult]:
    """Read runs and results files, each once, in their order; an InputError names a damaged one.

    Equal names get as many parent folders as tell them apart; a results file keeps its name beside a run.
    """
    paths = unique_paths(paths)
    return with_unique_names(list(map(read_method, paths)), paths)


def unique_paths(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without those of the same file or folder as an earlier one."""
    return list({path.resolve(): path for path in paths}.values())


def with_unique_names(methods: Sequence[MethodResult], paths: Sequence[Path]) -> list[MethodResult]:
    """Name each method by the end of its path that tells it apart; a results file keeps its name beside a run."""
    places = [Path(str(path.resolve()).removesuffix(".json")) for path in paths]
    files = [place for method, place in zip(methods, places, strict=True) if not method.run]
    return [
        replace(method, name=printable(_shortest_unique_end(place, places if method.run else files)))
        for method, place in zip(methods, places, strict=True)
    ]


def read_method(path: Path) -> MethodResult:
    """Read a run folder or a results file, by its suffix; raises InputError if it is neither."""
    return read_results(path) if path.suffix == ".json" else read_run(path)


def read_run(path: Path) -> MethodResult:
    """Read a run folder with its test scores, else its validation scores, else without scores."""
    run = folder.open_run(path)
    recipe, history, info = run.recipe(), tuple(metrics_file.read(run.metrics)), run_info.read(run)
    by_split = read_scores(run.scores)
    split = next((split for split in SPLITS if split in by_split), "")
    scores = Scores.from_dict(by_split[split], str(run.scores)) if split else None
    accuracy, loss, images = (scores.accuracy, scores.loss, scores.n) if scores else (None, None, 0)
    seconds = metrics_file.total_seconds(history) + info.teacher_seconds
    best_epoch = metrics_file.best_epoch(history, recipe.early_stopping)
    result = RunResult(
        recipe.seed, accuracy, loss, len(history), info.parameters, seconds, info.precision, recipe.data.fold,
        more_scores(scores), best_epoch, *metrics_file.losses(history),
        groups=(scores and scores.n_groups) or 0,
    )  # fmt: skip
    return MethodResult(run.name, recipe, split, images, (result,), info.hardware, run, history, scores, info)


def more_scores(scores: Scores | None) -> dict[str, float]:
    """Return those of `SCORES` that are there."""
    return {name: value for name in SCORES if (value := getattr(scores, name, None)) is not None}


def read_results(path: Path) -> MethodResult:
    """Read a results file; raises InputError when it is missing or has no trainings."""
    return parse_results(path.stem, results.read(path), str(path))


def parse_results(name: str, content: dict[str, Any], origin: str) -> MethodResult:
    """Parse the content of the results file `origin`, which an InputError names."""
    split, records, shared_settings = content.get("split", "test"), content["runs"], content.get("settings")
    if split not in SPLITS or not isinstance(records, list) or not records:
        raise InputError(f"{origin} has no trainings evaluated on test or validation. Give a file of `modiste bench`.")
    if not isinstance(shared_settings, dict):
        raise InputError(f"{origin} has no settings that all its trainings share. Give a file of `modiste bench`.")
    run_results = tuple(_parse_record(record, origin, place) for place, record in enumerate(records, 1))
    seeds = [(result.seed, result.fold) for result in run_results]
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        seed, fold = twice[0]
        raise InputError(f"{origin} has seed {seed} of fold {fold} twice. {results.REPEAT}")
    try:
        recipe = settings.with_settings(Recipe(), shared_settings)
    except SettingError as error:
        raise InputError(f"{origin} has settings that no recipe has: {error}") from None
    images = results.count_images(records, split)
    return MethodResult(name, recipe, split, images, run_results, str(content["hardware"]))


def _parse_record(record: Any, origin: str, place: int) -> RunResult:
    """Parse a record of a results file; an InputError has its place, from 1, and what is wrong with it."""
    with parsing.as_input_error(f"{origin}: training {place} cannot be read. {results.REPEAT}"):
        try:
            return parse_run_result(record)
        except results.BadNumber as error:
            raise InputError(f"{origin}: training {place} {error}. {results.REPEAT}") from None


def _shortest_unique_end(path: Path, paths: Sequence[Path]) -> str:
    """Return the shortest end of a path that none of the other paths ends in; `seed-0` has the folder of its bench."""
    others = [other.parts for other in paths if other != path]
    for length in range(1 + bool(SEED_FOLDER.fullmatch(path.name)), len(path.parts)):
        if all(other[-length:] != path.parts[-length:] for other in others):
            return "/".join(path.parts[-length:])
    return str(path)


def parse_run_result(record: dict[str, Any]) -> RunResult:
    """Parse a record of a results file; raises results.BadNumber, or another ValueError or TypeError."""
    accuracy, loss = results.read_number(record, "accuracy", highest=1), results.read_number(record, "loss")
    seed, epochs, parameters = (int(results.read_number(record, key)) for key in ("seed", "epochs", "parameters"))
    results.read_number(record, "images", lowest=1)
    results.read_number(record, "seconds")
    scores = {score: results.read_number(record, score) for score in SCORES if record.get(score) is not None}
    origin = str(record.get("precision", "")), int(record.get("fold", 0))
    train_losses, val_losses = (tuple(map(float, record.get(key, ()))) for key in ("train_losses", "val_losses"))
    return RunResult(
        seed, accuracy, loss, epochs, parameters, results.total_seconds(record), *origin, scores,
        int(record.get("best_epoch", 0)), train_losses, val_losses, int(record.get("groups", 0)),
    )  # fmt: skip
