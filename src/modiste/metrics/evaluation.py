"""Evaluate a run, a model file or a file of probabilities on a split; nothing but the count of openings is written."""

import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data import sources
from modiste.data.folders import ClassFolders
from modiste.data.idx_folder import is_idx_folder
from modiste.data.lazy_split import Source
from modiste.data.split import Split
from modiste.data.split_names import split_of_word
from modiste.errors import InputError, SettingError
from modiste.inference import bundled_files
from modiste.inference.model import Model
from modiste.metrics.probability_files import SUFFIXES, ProbabilityFile, read_probabilities
from modiste.metrics.scores import OPENINGS, SPLITS, Scores, calibration_error, compute_scores, read_scores
from modiste.recipes import settings
from modiste.recipes.config import DataConfig
from modiste.recipes.recipe import Recipe
from modiste.runs import files, folder, run_info
from modiste.runs.folder import Run
from modiste.runs.lock import lock
from modiste.runs.run_info import RunInfo

LOCK_SECONDS = 600.0
"""How long to wait for another process that writes the scores of the same run."""

OTHER_BACKGROUND = (
    "These images and the training images differ in their background: only one of the two is on black. "
    "`modiste predict` prepares photos as the training images were, so its predictions differ."
)

Probabilities = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is evaluated: the model of a run, a model file without a run, or a file of probabilities without a model."""

    path: Path
    recipe: Recipe
    run: Run | None = None
    model: Model | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a split's images, and their probabilities, [n, k], as the network gave them.

    Labels are indices into the target's class names. Other data than the run's, and files alone, have no run. A file of
    predicted labels has no probabilities: those here are 0 and 1.
    """

    scores: Scores
    probabilities: Probabilities
    split: Split
    run: Run | None
    has_probabilities: bool = True


def evaluate_split(
    path: Path, split_name: str = "test", data: str | None = None, is_logits: bool = False
) -> Evaluation:
    """Evaluate a target; arguments and errors as in `modiste.evaluate`; `is_logits` is of a file of another tool.

    An opening of a run's test split is counted before anything of it is read.
    """
    if split_name not in SPLITS:
        raise SettingError(f"split is {split_name!r}, but it must be one of {', '.join(SPLITS)}.")
    if data is not None and not data.strip():
        raise SettingError("data is empty, but it must be a folder. Leave it out for the data of the recipe.")
    target = _open_target(path, data)
    config = target.recipe.data
    if data is not None:
        config = replace(config, source=str(Path(data).resolve()))  # as `train --data` writes it
    if config != target.recipe.data:
        config = replace(config, corrections="")  # which names images of the other data
    source, split = _open_data(target, config, split_name)
    class_names = target.model.class_names if target.model else source.class_names
    split = _relabel(split, source.class_names, class_names)
    notes: tuple[str, ...] = ()
    has_probabilities = True
    if target.model:
        probabilities: Probabilities = target.model.probabilities(split.images)
        if target.model.is_on_black != sources.is_on_black(source, split.images):
            notes = (OTHER_BACKGROUND,)
    else:
        file = _read_file(target, source, class_names, split, is_logits)
        probabilities, notes, has_probabilities = file.probabilities, file.notes, not file.is_hard_labels
    if split.n_corrected:
        notes += (f"corrections.csv gives {split.n_corrected:,} of these images another label.",)
    scores = compute_scores(probabilities, split, class_names)
    scores = replace(scores, notes=notes + scores.notes)
    scores = _with_model_scores(scores, target, split, probabilities)
    run = target.run if config == target.recipe.data else None
    return Evaluation(scores, probabilities, split, run, has_probabilities)


def _open_target(path: Path, data: str | None) -> Target:
    bundled_files.require_unambiguous(str(path))
    run = None if str(path) in bundled_files.NAMES else _find_run(path)
    if run is None and path.suffix in SUFFIXES:
        return Target(path, Recipe())
    if run is not None:
        folder.require_model(run)
    from modiste.inference.model_file import load  # a file of probabilities needs no ONNX Runtime

    model = load(run.model if run else str(path))
    if not run and not model.recipe_json and data is None:
        raise InputError(f"{path} does not say what it was trained on. Name the data with --data.")
    recipe = run.recipe() if run else settings.from_json(model.recipe_json or "{}", str(path))
    if not run and recipe.data.source and data is None:  # a model file has the name of its data, not the path
        raise InputError(f"The data that {path} was trained on does not come with it. Name other data with --data.")
    images = {"image_size": model.image_size, "channels": model.channels, "resize_mode": model.resize_mode}
    recipe = settings.with_settings(recipe, {f"data.{key}": value for key, value in images.items()})
    return Target(path, recipe, run, model)


def _find_run(path: Path) -> Run | None:
    """Return the run that a folder, or a model.onnx in one, belongs to; None for a file alone."""
    run = Run(path if path.is_dir() else path.parent)
    if path.is_dir() and not run.recipe_file.is_file():
        data = path.parent if split_of_word(path.name) and not is_idx_folder(path) else path
        raise InputError(
            f"{path} is not a run folder: it has no recipe.json. Give a folder that `modiste train` made. If {path} "
            f"holds data to evaluate on: modiste evaluate RUN --data {shlex.quote(str(data))}"
        )
    if not path.exists():
        raise InputError(
            f"{path} does not exist. Give a run folder, an .onnx model, or probabilities as .npz, .npy or .csv."
        )
    return run if path in (run.path, run.model) and run.recipe_file.is_file() else None


def _open_data(target: Target, config: DataConfig, split_name: str) -> tuple[Source, Split]:
    """Open the data and its split; raises InputError where the model does not fit the data."""
    if not target.model:
        if not sources.open_source(config).has_photos:
            config = replace(config, image_size=0)  # any, since only the labels are used
        return sources.open_source(config), _open_split(target, config, split_name)
    try:
        source = sources.open_source(config)
        _require_classes(source, target.model.class_names)
        return source, _open_split(target, config, split_name)
    except SettingError as error:  # its advice is to change the recipe
        kind, side = "RGB" if config.channels == 3 else "gray", config.image_size
        raise InputError(
            f"{target.path} takes {kind} images of {side} x {side} pixels, but {config.source} has others. Name other "
            "data with --data."
        ) from error


def _require_classes(source: Source, class_names: tuple[str, ...]) -> None:
    """Raise an InputError if the data has classes that the model lacks."""
    missing = [name for name in source.class_names if name not in class_names]
    if not missing:
        return
    if isinstance(source, ClassFolders):
        advice = 'Map their folders to these in its labels.json, or leave them out: {"FOLDER": null}.'
    elif not source.has_photos and len(source.class_names) <= len(class_names):
        advice = "Write a labels.json beside its files, with the model's name of each label in their order."
    else:
        advice = "Name data that has only classes of the model with --data."
    raise InputError(
        f"The data has the classes {', '.join(missing)}, which the model lacks. It has {', '.join(class_names)}. "
        + advice
    )


def require_held_out(run: Run, validation: Split) -> None:
    """Raise an InputError if a run recorded the hash of its validation images, and these are others."""
    info = run_info.read(run)
    if "validation" in info.sha256 and not _are_held_out(info, validation):
        raise InputError(
            f"The data of {run.path} has changed since its training, so it may have been trained on some of the images "
            "held out now. Restore the data, or use --split test."
        )


def _are_held_out(info: RunInfo, validation: Split) -> bool:
    """Return whether these are the images that a run recorded as held out, whatever their labels are now."""
    if info.validation_images_sha256:
        return info.validation_images_sha256 == validation.images_sha256()
    return info.sha256.get("validation") == validation.sha256()


def _open_split(target: Target, config: DataConfig, name: str) -> Split:
    is_other = target.model is not None and config != target.recipe.data
    if name == "test":
        if is_other:  # so that an error does not recommend a validation split, which is refused below
            config = replace(config, val_fraction=0.0)
        test = sources.open_test(config, lambda: _count_opening(target.run))
        if target.run and run_info.read(target.run).sha256.get("train") == test.sha256():
            raise InputError(f"The test images are those that {target.path} was trained on. Evaluate it on others.")
        return test
    if is_other:
        return _open_copy_of_validation(target, config)
    split = sources.open_validation(config, target.recipe.seed)
    if target.run:
        require_held_out(target.run, split)
    return split


def _open_copy_of_validation(target: Target, config: DataConfig) -> Split:
    """Open the validation split of data that was copied or moved; in other data, images may have been trained on."""
    with suppress(InputError):
        split = sources.open_validation(config, target.recipe.seed)
        if target.run and _are_held_out(run_info.read(target.run), split):
            return split
    raise InputError(
        f"{config.source} does not have the validation images that {target.path} held out, so it may have been trained "
        f"on those it has. Put images to evaluate on into class folders in {config.source}/test and use --split test."
    )


def _read_file(
    target: Target, source: Source, class_names: tuple[str, ...], split: Split, is_logits: bool
) -> ProbabilityFile:
    """Read a file of probabilities, and notes on it; notes and errors say which images were held out for validation."""
    held_out, recipe = "", target.recipe
    uses_val_split = recipe.data.use_val_split and source.has_split("validation")
    if split.name == "validation" and not uses_val_split:
        held_out = (
            f"The data has no validation split of its own. Of its {len(source.part('train').labels):,} training images "
            f"the {len(split):,} are used that `modiste train` holds out with "
            f"data.val_fraction={recipe.data.val_fraction}, data.fold={recipe.data.fold} and seed={recipe.seed}, in "
            "the order of the data."
        )
    try:
        file = read_probabilities(target.path, class_names, split, is_logits)
    except InputError as error:
        raise InputError(f"{error} {held_out}".strip()) from None
    return file._replace(notes=(held_out, *file.notes)) if held_out else file


def _count_opening(run: Run | None) -> None:
    """Count an opening of the test split in a run's scores.json; a file alone has no place for it."""
    if run:
        with lock(run.path, LOCK_SECONDS):
            content = read_scores(run.scores)
            files.write_json(run.scores, content | {OPENINGS: content[OPENINGS] + 1})


def _relabel(split: Split, data_names: tuple[str, ...], class_names: tuple[str, ...]) -> Split:
    """Change labels from indices into the data's class names to indices into the model's, which may be more."""
    columns = np.array([class_names.index(name) for name in data_names], np.int64)
    candidate_labels = split.candidate_labels
    if candidate_labels is not None:
        candidate_labels = np.zeros((len(split), len(class_names)), bool)
        candidate_labels[:, columns] = split.candidate_labels
    return replace(split, labels=columns[split.labels], candidate_labels=candidate_labels)


def _with_model_scores(scores: Scores, target: Target, split: Split, probabilities: Probabilities) -> Scores:
    """Add what needs the model and its recipe, and say what was chosen on this very split."""
    notes = scores.notes
    if scores.n_ambiguous:
        notes += (f"{scores.n_ambiguous:,} images with several candidate labels are left out of the scores by class.",)
    if target.model is None:
        return replace(scores, notes=notes)
    calibration, correct = target.model.calibration, split.is_correct(probabilities.argmax(1))
    calibrations = replace(calibration, temperature=1.0), calibration
    before, after = (calibration_error(c.confidence(c.calibrate(probabilities)), correct) for c in calibrations)
    is_validation = split.name == "validation"
    is_fitted = is_validation and calibration.temperature != 1
    is_chosen = is_validation and target.recipe.early_stopping.patience > 0
    if is_chosen:
        notes += ("The epoch of the weights was chosen on these images, so accuracy and loss are optimistic.",)
    if is_fitted:
        notes += ("The temperature was fitted on these images, so the error after it is left out.",)
    return replace(
        scores,
        accuracy_flip_tta=_accuracy_flip_tta(target.model, target.recipe, split, probabilities),
        ece=before,
        ece_calibrated=None if is_fitted else after,
        chosen_on_split=is_chosen,
        notes=notes,
    )


def _accuracy_flip_tta(model: Model, recipe: Recipe, split: Split, probabilities: Probabilities) -> float | None:
    """Return the accuracy of the mean over each image and its mirror image; None where `Scores` has none."""
    if not recipe.augmentation.horizontal_flip or model.tta_threshold:
        return None
    mean = probabilities + model.probabilities(split.images[:, :, ::-1])
    return float(split.is_correct(mean.argmax(1)).mean())
