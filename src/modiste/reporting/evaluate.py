"""Judge a run, a model file or a file of probabilities on a split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data import sources
from modiste.data.split import Split
from modiste.errors import InputError, SettingError
from modiste.inference import bundled_files
from modiste.inference.calibration import FLOOR, Calibration
from modiste.metrics import probability_files as other_tools
from modiste.metrics.scores import OPENINGS, SPLITS, Scores, calibration_error, compute_scores, read_scores
from modiste.recipes import settings
from modiste.recipes.recipe import DataConfig, Recipe
from modiste.reporting import canvas, figures
from modiste.runs import files, folder, run_info
from modiste.runs.folder import Run

SHOWN = 16
"""Mistakes on the contact sheet."""

Probabilities = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged.

    Args:
        run: the run it belongs to; None for a file alone.
        recipe: where its data is from, and the seed of its folds.
        class_names: of its columns; None when they are those of the data.
        judge: the split and the k label names -> probabilities [n, k].
        mirrors: it can be asked about mirror images: it was trained on them, and takes no second look by itself.
        calibration: how a model's probabilities are to be taken; None where there are probabilities alone.
    """

    run: Run | None
    recipe: Recipe
    class_names: tuple[str, ...] | None
    judge: Callable[[Split, tuple[str, ...]], Probabilities]
    mirrors: bool = False
    calibration: Calibration | None = None


def evaluate(target: Path, split: str = "test", data: str | None = None) -> Scores:
    """Score a target; a run gets scores.json, probabilities.npz, confusion.png and mistakes.png.

    Each opening of the test split is counted in the run's scores.json before anything of the split is read. Scores on
    data that is not the run's own are returned and not written: the files of a run speak of its own data.

    Args:
        target: a run folder, an .onnx file that modiste wrote, the name of a bundled model, or probabilities (.npz,
            .csv) that any tool wrote, in the order of the split's images.
        split: test or validation; validation is the fold that the recipe held out.
        data: folder of other data than the recipe's.

    Raises:
        InputError: the target, its model or the data cannot be used, or the data that a run held its validation images
            out of is not that of its training.
        SettingError: there is no such split.
        OutputError: the run folder cannot be written to.
    """
    if split not in SPLITS:
        raise SettingError(f"split is {split!r}, but it must be one of {', '.join(SPLITS)}.")
    subject = _subject(target, data)
    mine = subject.recipe.data
    source = mine if data is None else replace(mine, source=str(Path(data).resolve()))  # as `train --data` writes it
    names = sources.class_names(source)
    known = subject.class_names or names
    opened = _open(source, subject, split)
    numbered = _numbered(opened, names, known)
    found = subject.judge(numbered, known)
    resolved = replace(numbered, labels=_resolved(numbered, found))
    scores = replace(
        compute_scores(found, resolved.labels, known, split),
        loss=float(-np.log(numbered.likelihood(found).clip(FLOOR)).mean()),
        accuracy_flip_tta=_mirrored(subject, numbered, known, found),
    )
    if subject.calibration:
        scores = _with_calibration(scores, subject.calibration, numbered, found)
    if subject.run and source == mine:
        _write(subject.run, scores, found, resolved)
    return scores


def _mirrored(subject: Subject, split: Split, names: tuple[str, ...], plain: Probabilities) -> float | None:
    """The accuracy of the mean of both views of each image."""
    if not subject.mirrors:
        return None
    other = subject.judge(replace(split, images=np.ascontiguousarray(split.images[:, :, ::-1])), names)
    both = plain + other
    return float(split.is_correct(both.argmax(1)).mean())


def _with_calibration(scores: Scores, calibration: Calibration, split: Split, found: Probabilities) -> Scores:
    """Tell the calibration error of how sure a model is, before and after its temperature."""
    right = split.is_correct(found.argmax(1))
    before, after = (
        calibration_error(each.confidence(each.calibrate(found)), right)
        for each in (replace(calibration, temperature=1.0), calibration)
    )
    return replace(scores, ece=before, ece_calibrated=after)


def run_of(target: Path) -> Run | None:
    """Return the run that a folder, or a model.onnx in one, belongs to; None for a file alone.

    Raises:
        InputError: it does not exist, or is a folder without a run.
    """
    if target.is_dir():
        return folder.open_run(target)
    if not target.exists():
        raise InputError(
            f"{target} does not exist. Give a run folder, an .onnx model, or probabilities as .npz or .csv."
        )
    run = Run(target.parent)
    return run if target.name == run.model.name and run.recipe_file.is_file() else None


def _subject(target: Path, data: str | None) -> Subject:
    is_bundled = str(target) in bundled_files.NAMES and not target.exists()
    run = None if is_bundled else run_of(target)
    if run is None and target.suffix in other_tools.SUFFIXES:
        read = other_tools.read_probabilities
        return Subject(None, Recipe(), None, lambda split, names: read(target, names, split.labels))
    if run is not None:
        folder.require_model(run)
    from modiste.inference.model_file import load  # here, as a file of probabilities needs no runtime

    model = load(run.model if run else str(target))
    if run:
        recipe = run.recipe()
    elif model.recipe_json or data is not None:
        recipe = settings.from_json(model.recipe_json or "{}", str(target))
    else:
        raise InputError(f"{target} does not say what it was trained on. Name the data with --data.")
    if is_bundled and recipe.data.source and data is None:
        raise InputError(f"The data that {target} was trained on does not come with it. Name other data with --data.")
    recipe = settings.with_settings(recipe, {"data.image_size": model.image_size, "data.channels": model.channels})
    return Subject(
        run,
        recipe,
        model.class_names,
        lambda split, _: model.probabilities(split.images),
        recipe.augmentation.horizontal_flip and not model.tta_threshold,
        model.calibration,
    )


def _open(source: DataConfig, subject: Subject, split: str) -> Split:
    if split == "validation":
        held_out = sources.open_validation(source, subject.recipe.seed)
        if subject.run and source == subject.recipe.data:
            require_unchanged(subject.run, held_out)
        return held_out
    return sources.open_test(source, lambda: _count(subject.run))


def require_unchanged(run: Run, held_out: Split) -> None:
    """Raise an InputError unless these are the images that the run held out; in changed data they may be others.

    Then images that it was trained on would be judged as if it had never seen them.
    """
    known = run_info.read(run).sha256.get("validation")
    if known is not None and known != held_out.sha256():
        raise InputError(
            f"The data of {run.path} has changed since its training, so the images held out are not those of then. "
            "Restore the data, or use --split test."
        )


def _count(run: Run | None) -> None:
    """Write down that the test split is opened for a run; a file alone has no place for it."""
    if run:
        content = {OPENINGS: 0} | read_scores(run.scores)
        files.write_json(run.scores, content | {OPENINGS: content[OPENINGS] + 1})


def _numbered(split: Split, names: tuple[str, ...], known: tuple[str, ...]) -> Split:
    """The split with the numbers of a model's label names; the data may have fewer, in another order."""
    strange = [name for name in names if name not in known]
    if strange:
        raise InputError(
            f"The data has the labels {', '.join(strange)}, which the model lacks. It has {', '.join(known)}."
        )
    places = np.array([known.index(name) for name in names], np.int64)
    candidate_labels = split.candidate_labels
    if candidate_labels is not None:
        candidate_labels = np.zeros((len(split), len(known)), bool)
        candidate_labels[:, places] = split.candidate_labels
    return replace(split, labels=places[split.labels], candidate_labels=candidate_labels)


def _resolved(split: Split, found: Probabilities) -> NDArray[np.int64]:
    """One true label an image: where it may be one of several and the answer is among them, the answer."""
    said = found.argmax(1)
    return np.where(split.is_correct(said), said, split.labels)


def _write(run: Run, scores: Scores, found: Probabilities, split: Split) -> None:
    """Write the four files; the scores come last, so that where they are, the others are."""
    with files.atomic_write(run.probabilities) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file, probabilities=found.astype(np.float32), labels=split.labels, split=np.array(split.name)
        )
    canvas.save_png(figures.plot_confusion_matrix(scores), run.confusion)
    names, worst = [label.name for label in scores.per_class], np.array(scores.worst_mistakes[:SHOWN], np.int64)
    sheet = figures.plot_mistakes(
        split.images[worst],
        [names[label] for label in split.labels[worst]],
        [names[label] for label in found[worst].argmax(1)],
        found[worst].max(1).tolist(),
    )
    canvas.save_png(sheet, run.mistakes)
    files.write_json(run.scores, {OPENINGS: 0} | read_scores(run.scores) | {scores.split: scores.as_dict()})
