"""Look for wrong labels and near-duplicates in a dataset, by models that were not trained on the images they predict.

The recipe is trained on all folds but one in turn, and each model predicts its fold. The other splits are predicted by
the mean of all these models.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data import fashion_mnist, folds, sources
from modiste.data.annotations import open_part
from modiste.data.folders import ClassFolders
from modiste.data.split import Images, Split
from modiste.errors import InputError, SettingError, TrainingError
from modiste.experiments import audit_files, bench
from modiste.experiments.audit_files import AuditedSplit
from modiste.experiments.bench import Bench
from modiste.experiments.resources import Resources
from modiste.imaging import near_duplicates
from modiste.imaging.near_duplicates import Pairs
from modiste.inference.model import Model
from modiste.metrics.evaluation import Evaluation, evaluate_split
from modiste.metrics.intervals import accuracy_interval, is_approximate
from modiste.metrics.label_quality import import_cleanlab, rank_labels
from modiste.metrics.scores import OPENINGS
from modiste.recipes import named, settings
from modiste.recipes.config import DataConfig
from modiste.recipes.recipe import Recipe
from modiste.runs import files, run_info
from modiste.runs.folder import Run
from modiste.runs.lock import lock

VAL_FRACTION = 0.2
"""Of recipes that hold nothing out: five folds."""

OPENINGS_FILE = "test_openings.json"

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Audit:
    """What is audited.

    Args:
        recipe: that is trained on the folds of its data.
        folder: of all files that the audit writes.
        targets: runs, models or files of probabilities that are evaluated with and without label issues and duplicates.
        jobs: number of trainings that run in parallel and share the cores.
    """

    recipe: Recipe
    folder: Path
    targets: tuple[str, ...] = ()
    jobs: int = 1


def default_recipe(data_source: str) -> Recipe:
    """Return a recipe that takes minutes: for class folders `photo-quick`, for gray images `sprint` on all images.

    `sprint` skips the images with a low loss, so that its models learn the wrong labels: on 6,000 images with 2 % of
    the labels changed, 87 % of these were among the 4 % most suspect with it, and 92 % without.
    """
    gray = named.sprint()
    if isinstance(sources.open_source(replace(gray.data, source=data_source)), ClassFolders):
        return named.photo_quick()
    return settings.with_settings(gray, {"schedule.skip_easy_fraction": 0.0, "compute.precision": "fp32"})


def prepare(recipe: Recipe) -> Recipe:
    """Return the recipe with folds of the training images, also of data that has a validation split.

    Raises:
        SettingError: the recipe trains on some of the images only.
        InputError: the data has no training images, or too few for the folds.
    """
    if recipe.data.max_train_images:
        raise SettingError(
            f"data.max_train_images is {recipe.data.max_train_images}, but an audit needs every training image. Set it "
            "to 0."
        )
    source = sources.open_source(recipe.data)
    changes: dict[str, Any] = {} if recipe.data.folds else {"data.val_fraction": VAL_FRACTION}
    if source.has_split("validation"):
        changes["data.use_val_split"] = False
    recipe = settings.with_settings(recipe, changes)
    if source.has_split("train"):  # or the next line raises
        train, count = open_part(source, recipe.data, "train"), recipe.data.folds
        if (fewest := folds.count_of_smallest_class(train.stratify_by, train.groups)) < count:
            unit = "images" if train.groups is None else "groups of images"
            raise InputError(
                f"An audit on {count} folds needs {count} {unit} of each class, but a class has only {fewest}. Add "
                "some, or use fewer folds: --set data.val_fraction=0.5 makes two."
            )
    sources.held_out_indices(recipe.data, recipe.seed)
    return recipe


def run(audit: Audit, command: str, log: Log) -> dict[str, Any]:
    """Train, predict and write all files; return the content of audit.json.

    Folds that an earlier call has trained are not trained again. `log` receives a line at the start of each part.

    Raises:
        ModisteError: as `bench.run` and `evaluate_split`.
    """
    import_cleanlab()  # so that a missing package is noticed before the trainings
    recipe = prepare(audit.recipe)
    plan = Bench(
        bench.vary_fold(recipe), "validation", audit.folder / "folds", Resources(audit.jobs), keep_weights=True
    )
    files.make_folder(audit.folder)
    with lock(audit.folder):
        evaluations = _evaluate_targets(audit.targets, recipe.data)
        records = _train_folds(plan, log)
        log("predicting")
        audited = list(_predict_splits(plan, audit.folder))
        log("comparing images")
        pairs = find_duplicates([each.split for each in audited])
        correct = {name: each.split.is_correct(each.probabilities.argmax(1)) for name, each in evaluations.items()}
        class_names = sources.open_source(recipe.data).class_names
        accuracies = _accuracies(audited, pairs, {f"{recipe.name} on folds": None} | correct)
        return audit_files.write(audit.folder, command, recipe, class_names, records, audited, pairs, accuracies)


def _train_folds(plan: Bench, log: Log) -> list[dict[str, Any]]:
    """Train and evaluate each fold, and return the records; raise a TrainingError if one failed."""
    records = bench.run(plan, log)
    for failed in records.failed:
        raise TrainingError(f"The training on fold {failed['fold']} failed. {failed['reason']}")
    return records.finished


def _evaluate_targets(targets: tuple[str, ...], data: DataConfig) -> dict[str, Evaluation]:
    """Evaluate each target on the test split, before the trainings, so that one that cannot be used costs no time."""
    if targets and not sources.open_source(data).has_split("test"):
        raise InputError(f"{data.source} has no test split for --evaluate. Add one, or leave out that option.")
    folder = data.source or str(fashion_mnist.folder())
    return {target: evaluate_split(Path(target), "test", folder) for target in targets}


def find_duplicates(splits: list[Split]) -> Pairs:
    """Return near-duplicates within and across splits, of each image the most similar one in each split.

    Positions are those in the concatenation of all splits.
    """
    pairs = near_duplicates.find_near_duplicates(*(split.images for split in splits))
    split_of = np.repeat(np.arange(len(splits)), [len(split) for split in splits])
    keys = (np.stack([pairs.first, split_of[pairs.second]]), np.stack([pairs.second, split_of[pairs.first]]))
    best = [np.unique(key, axis=1, return_index=True)[1] for key in keys]  # pairs are sorted by similarity
    return pairs.take(np.unique(np.concatenate(best)))


def _predict_splits(plan: Bench, folder: Path) -> Iterator[AuditedSplit]:
    """Yield the training images, predicted out of fold, then the other splits that the data has."""
    recipe = plan.recipes[0]
    everything = replace(recipe.data, val_fraction=0.0, fold=0, use_val_split=True)
    source = sources.open_source(everything)
    train = open_part(source, everything, "train").load_split("train")
    yield _predict_train(plan, train, len(source.class_names))
    others = [sources.open_validation(everything, recipe.seed)] if source.has_split("validation") else []
    if source.has_split("test"):
        others.append(sources.open_test(everything, lambda: _count_opening(folder)))
    for split in others:
        mean = np.mean([_predict(each.run, each.recipe, split.images) for each in plan.trials()], axis=0)
        yield AuditedSplit(split, mean, rank_labels(split, mean))


def _predict_train(plan: Bench, train: Split, classes: int) -> AuditedSplit:
    """Predict each training image out of fold; raise an InputError if a fold was trained on other images."""
    probabilities = np.zeros((len(train), classes), np.float32)
    for trial in plan.trials():
        recipe, run = trial.recipe, trial.run
        held_out = sources.held_out_indices(recipe.data, recipe.seed)
        candidates = None if train.candidate_labels is None else train.candidate_labels[held_out]
        validation = Split("validation", train.images[held_out], train.labels[held_out], candidates)
        if run_info.read(run).sha256.get("validation") != validation.sha256():
            raise InputError(
                f"The data has changed since {run.path} was trained. Restore it, or name another folder with --out."
            )
        probabilities[held_out] = _predict(run, recipe, validation.images)
    return AuditedSplit(train, probabilities, rank_labels(train, probabilities))


def _predict(run: Run, recipe: Recipe, images: Images) -> NDArray[np.float32]:
    """Predict with the model of a fold: the mean over each image and its mirror image, if it was trained on these."""
    from modiste.inference.model_file import load  # ONNX Runtime is not needed before

    model: Model = load(run.model)
    probabilities = model.probabilities(images)
    if not recipe.augmentation.horizontal_flip:
        return probabilities
    return np.asarray((probabilities + model.probabilities(images[:, :, ::-1])) / 2, np.float32)


def _count_opening(folder: Path) -> None:
    """Count an opening of the test split in a file of the audit."""
    path = folder / OPENINGS_FILE
    openings = int(files.read_json(path)[OPENINGS]) if path.exists() else 0
    files.write_json(path, {OPENINGS: openings + 1})


def _accuracies(
    audited: list[AuditedSplit], pairs: Pairs, correct: dict[str, NDArray[np.bool_] | None]
) -> list[dict[str, Any]]:
    """Return the accuracy of each method on all test images, and without label issues and copies of training images.

    The key `without_suspects` is of label issues: earlier versions named them so.
    None stands for the models of the folds. Without a test split, these are evaluated on the training images.
    """
    split, quality = audited[-1].split, audited[-1].quality
    is_duplicate = _has_duplicate(audited, pairs)
    masks = {
        "all": np.ones(len(split), bool),
        "without_suspects": ~quality.is_issue,
        "without_duplicates": ~is_duplicate,
        "without_both": ~quality.is_issue & ~is_duplicate,
    }
    own = split.is_correct(quality.suggested)
    return [
        {"method": name, "split": split.name}
        | {key: _score(own if hits is None else hits, mask, split) for key, mask in masks.items()}
        for name, hits in correct.items()
    ]


def _has_duplicate(audited: list[AuditedSplit], pairs: Pairs) -> NDArray[np.bool_]:
    """Return for each image of the last split whether a training image is a near-duplicate of it."""
    sizes = [len(each.split) for each in audited]
    duplicated = np.zeros(sum(sizes), bool)
    for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        duplicated[one[other < sizes[0]]] = True
    return duplicated[sum(sizes[:-1]) :]


def _score(correct: NDArray[np.bool_], mask: NDArray[np.bool_], split: Split) -> dict[str, Any] | None:
    """Return n, accuracy and interval on some images; None if there are none."""
    if not mask.any():
        return None
    groups = None if split.groups is None else split.groups[mask]
    return {
        "n": int(mask.sum()),
        "accuracy": float(correct[mask].mean()),
        "interval_images": accuracy_interval(correct[mask], groups),
        "is_interval_approximate": is_approximate(groups),
    }
