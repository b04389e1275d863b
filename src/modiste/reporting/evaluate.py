"""Evaluate a target and write the files of its run."""

from pathlib import Path

import numpy as np

from modiste.metrics.evaluation import LOCK_SECONDS, Evaluation, evaluate_split
from modiste.metrics.scores import Scores, read_scores
from modiste.reporting import canvas, figures, mistakes
from modiste.runs import files
from modiste.runs.folder import Run
from modiste.runs.lock import lock

MAX_MISTAKES_SHOWN = 16


def evaluate(target: Path, split: str = "test", data: str | None = None) -> Scores:
    """Score a target; a run gets scores.json, probabilities.npz, confusion.png, mistakes.png, .csv and .html.

    Each opening of the test split is counted in the run's scores.json. Scores on other data are returned, not written.

    Args:
        target: a run folder, an .onnx file that modiste wrote, the name of a bundled model, or probabilities of any
            tool in an .npz, .npy or .csv, as `probability_files.read_probabilities` describes it.
        split: test or validation; validation is the fold that the recipe held out.
        data: folder of other data than the recipe's.

    Raises:
        InputError: the target or the data cannot be used, or the training did not hold out these validation images.
        SettingError: there is no such split, or `data` is empty.
        OutputError: the run folder cannot be written to.
    """
    evaluation = evaluate_split(target, split, data)
    if evaluation.run:
        _write(evaluation.run, evaluation)
    return evaluation.scores


def files_of(run: Run, split: str) -> Run:
    """Return where the files of a split are: those of test beside its scores, others too while there are none of test.

    Otherwise they have a folder of their own in the run, so that those of test, which are reported, stay.
    """
    return run if split == "test" or "test" not in read_scores(run.scores) else Run(run.path / split)


def _write(run: Run, evaluation: Evaluation) -> None:
    """Write the six files; scores.json comes last, so that where it has scores, the other files exist."""
    scores, split, probabilities = evaluation.scores, evaluation.split, evaluation.probabilities.astype(np.float32)
    class_names = [each.name for each in scores.per_class]
    mistakes_of_run = mistakes.find_mistakes(split, probabilities, class_names)
    worst = mistakes_of_run[:MAX_MISTAKES_SHOWN]
    confusion_matrix = figures.plot_confusion_matrix(scores)
    contact_sheet = figures.plot_mistakes([split.images[mistake.index] for mistake in worst], worst)
    page = mistakes.to_html(run.name, mistakes_of_run, split, scores)
    with lock(run.path, LOCK_SECONDS):
        place = files_of(run, split.name)
        files.make_folder(place.path)
        with files.atomic_write(place.probabilities) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, probabilities=probabilities, labels=split.labels, class_names=class_names, split=split.name,
                **{key: array for key in ("groups", "candidate_labels") if (array := getattr(split, key)) is not None},
            )  # fmt: skip
        canvas.save(confusion_matrix, place.confusion)
        canvas.save(contact_sheet, place.mistakes)
        files.write_text(place.mistakes_table, mistakes.to_csv(mistakes_of_run))
        files.write_text(place.mistakes_page, page)
        files.write_json(run.scores, read_scores(run.scores) | {scores.split: scores.as_dict()})
