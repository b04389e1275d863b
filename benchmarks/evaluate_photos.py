"""Evaluate models on photos that they were not trained on."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from perturbations import PERTURBATIONS
from photo_measurements import Measurement
from photo_predictions import Floats, Mask, PhotoPredictions, concatenate, fit_on_others
from photo_sets import COLLECTION, NO_CLOTHES, OTHER_CLASSES, without_kinds

from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.metrics import intervals
from modiste.metrics.scores import calibration_error

MIN_LEFT_OUT = 20
"""An answer with fewer photos of left-out sources is evaluated on the folds of COLLECTION instead."""

SUREST = 0.8
"""Fraction of the photos, those with the highest confidence, whose accuracy is measured."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Answers:
    """Predictions with the confidence and the threshold that were fitted on other photos.

    Args:
        predictions: of all photos.
        confidence: of each most probable label, with the temperature, [n].
        is_answered: whether a photo gets this label and not "none of these", bool [n].
    """

    predictions: PhotoPredictions
    confidence: Floats
    is_answered: Mask

    @cached_property
    def outcomes(self) -> dict[str, Mask]:
        """Whether the answer is correct, bool [n]: the most probable label, and with the threshold applied."""
        none = self.predictions.class_names.index(NONE_OF_THESE)
        is_correct, is_none = self.predictions.is_correct, self.predictions.candidate_labels[:, none]
        return {"": is_correct, "_with_threshold": np.where(self.is_answered, is_correct, is_none)}

    def select(self, mask: Mask) -> "Answers":
        """Return the answers for some photos, bool [n]."""
        return Answers(self.predictions.subset(mask), self.confidence[mask], self.is_answered[mask])

    def accept_any_kind(self) -> "Answers":
        """Return the answers, of which those for shoes are correct with any kind."""
        return replace(self, predictions=replace(self.predictions, photos=without_kinds(self.predictions.photos)))


def answer(parts: list[PhotoPredictions]) -> Answers:
    """Return the answers for all parts, where temperature and threshold of each are fitted on the others."""
    none = parts[0].class_names.index(NONE_OF_THESE)
    confidences, answered = [], []
    for part, fitted in zip(parts, fit_on_others(parts), strict=True):
        confidences.append(fitted.confidence(fitted.calibrate(part.probabilities)))
        answered.append(answer_labels(fitted, part.probabilities, none) != none)
    return Answers(concatenate(parts), np.concatenate(confidences), np.concatenate(answered))


def answer_labels(fitted: Calibration, probabilities: Floats, none: int) -> NDArray[np.int64]:
    """Return the label of each answer, int64 [n], as `predict` gives it: `none` below the threshold.

    Args:
        fitted: temperature and threshold.
        probabilities: without temperature, [n, labels].
        none: the label of "none of these".
    """
    calibrated = fitted.calibrate(probabilities)
    return np.where(fitted.confidence(calibrated) < fitted.threshold, none, calibrated.argmax(1))


def score_stability(measurements: list[Measurement]) -> dict[str, Any]:
    """Return the fraction of photos whose label stays the same after each perturbation, for both photo sets.

    Those of left-out sources are also by source. Temperature and threshold for each part are fitted on the others.
    """
    parts = [each.predictions for each in measurements]
    none = parts[0].class_names.index(NONE_OF_THESE)
    is_stable: dict[str, dict[str, Mask]] = {"folds": {}, "left_out_sources": {}}
    for each, fitted in zip(measurements, fit_on_others(parts), strict=True):
        label = answer_labels(fitted, each.predictions.probabilities, none)
        mask = np.array([label == answer_labels(fitted, view, none) for view in each.perturbed])
        is_of_collection = each.predictions.photos[0].is_of_collection
        is_stable["folds" if is_of_collection else "left_out_sources"][each.record["recipe"]] = mask
    scores = {
        key: fraction_stable(np.concatenate([*masks.values()], axis=1)) for key, masks in is_stable.items() if masks
    }
    by_source = {name.removeprefix("without-"): mask for name, mask in is_stable["left_out_sources"].items()}
    return {
        "same_class_after": scores,
        "same_class_after_by_source": {name: fraction_stable(mask) for name, mask in by_source.items()},
    }


def fraction_stable(mask: Mask) -> dict[str, Any]:
    """Return the fraction of photos whose label stays the same after each perturbation, bool [perturbations, n]."""
    return {"images": mask.shape[1], **dict(zip(PERTURBATIONS, mask.mean(1).tolist(), strict=True))}


def summarize(parts: list[PhotoPredictions]) -> dict[str, Any]:
    """Return the scores on left-out sources and on the folds of COLLECTION.

    Args:
        parts: the photos of a source, or of a fold, each predicted by a model that was not trained on them.
    """
    answers = answer(parts)
    photos = answers.predictions
    left_out, folds = answers.select(~photos.is_of_collection), answers.select(photos.sources == COLLECTION)
    return {
        "left_out_sources": {
            **score_answers(answers),
            **score_confidence(left_out),
            "no_clothes": rate(left_out, left_out.predictions.classes == NO_CLOTHES, "recall"),
        },
        "sources": score_sources(answers),
        "folds": score_folds(folds.accept_any_kind()),
    }


def score_answers(answers: Answers) -> dict[str, Any]:
    """Return the recall of each answer, by left-out sources or else by the folds, the mean of these, and the lowest."""
    photos, masks, scores = answers.predictions, [], {}
    is_certain = photos.candidate_labels.sum(1) == 1
    for name, is_label in zip(photos.class_names, photos.candidate_labels.T, strict=True):
        left_out, of_folds = (
            is_label & is_certain & mask for mask in (~photos.is_of_collection, photos.is_of_collection)
        )
        is_enough = left_out.sum() >= MIN_LEFT_OUT
        mask = left_out if is_enough else of_folds
        if mask.any():
            masks.append(mask)
            scores[name] = {"by_folds": not is_enough, **rate(answers, mask, "recall")}
    only_left_out = [mask for mask, score in zip(masks, scores.values(), strict=True) if not score["by_folds"]]
    return {
        **score_macro_recall(answers, masks),
        "without_folds": score_macro_recall(answers, only_left_out),
        "answers": scores,
        "lowest_answer": min(scores, key=lambda name: float(scores[name]["recall"])),
        "lowest_answer_with_threshold": min(scores, key=lambda name: float(scores[name]["recall_with_threshold"])),
    }


def score_macro_recall(answers: Answers, masks: list[Mask]) -> dict[str, Any]:
    """Return the mean of the recalls of several answers, whose photos are given as masks, bool [n]."""
    if not masks:
        return {"n": 0}
    groups, is_used = answers.predictions.groups, np.any(masks, axis=0)
    scores: dict[str, Any] = {"n": len(masks), "images": int(is_used.sum()), "groups": len(np.unique(groups[is_used]))}
    for suffix, is_correct in answers.outcomes.items():
        scores[f"macro_recall{suffix}"] = fmean(float(is_correct[mask].mean()) for mask in masks)
        scores[f"macro_recall{suffix}_interval"] = macro_recall_interval(is_correct, masks, groups)
    return scores


def macro_recall_interval(is_correct: Mask, masks: list[Mask], groups: NDArray[np.int64]) -> intervals.Interval:
    """Return the 95 % interval of the mean of several recalls, by drawing groups of photos with replacement.

    Args:
        is_correct: bool [n].
        masks: the photos of each recall, bool [n].
        groups: a number for the group of each photo, int64 [n].
    """
    used = np.unique(groups[np.any(masks, axis=0)])
    sizes, correct = np.zeros((2, len(used), len(masks)))
    for column, mask in enumerate(masks):
        sizes[:, column] = np.bincount(np.searchsorted(used, groups[mask]), minlength=len(used))
        correct[:, column] = np.bincount(np.searchsorted(used, groups[mask & is_correct]), minlength=len(used))
    draws = np.random.default_rng(0).multinomial(len(used), np.full(len(used), 1 / len(used)), RESAMPLES)
    with np.errstate(invalid="ignore"):  # of few groups a draw may have none with photos of an answer
        means = np.nanmean((draws @ correct) / (draws @ sizes), 1)
    low, high = np.quantile(means, [(1 - intervals.LEVEL) / 2, (1 + intervals.LEVEL) / 2])
    return float(low), float(high)


def score_confidence(answers: Answers) -> dict[str, Any]:
    """Return how accurate the surest and the answered photos are, and the error of the confidence."""
    is_correct, is_answered = answers.outcomes[""], answers.is_answered
    surest = np.argsort(-answers.confidence, kind="stable")[: round(SUREST * len(is_correct))]
    return {
        "accuracy_of_surest_80_percent": float(is_correct[surest].mean()),
        "ece": calibration_error(answers.confidence, is_correct),
        "answered": float(is_answered.mean()),
        "answered_correct": float(is_correct[is_answered].mean()) if is_answered.any() else None,
    }


def score_sources(answers: Answers) -> dict[str, Any]:
    """Return the recall for each source and class."""
    photos, scores = answers.predictions, defaultdict[str, dict[str, Any]](dict)
    for source, name in sorted({(photo.source, photo.class_name) for photo in photos.photos}):
        scores[source][name] = rate(answers, (photos.sources == source) & (photos.classes == name), "recall")
    return scores


def score_folds(answers: Answers) -> dict[str, Any]:
    """Return the scores on the photos of COLLECTION, whose shoes are correct with any kind."""
    is_other = np.isin(answers.predictions.classes, OTHER_CLASSES)
    return {
        **rate(answers, np.ones(len(is_other), bool), "accuracy"),
        **score_confidence(answers),
        "classes": score_sources(answers)[COLLECTION],
        "other_classes": rate(answers, is_other, "recall"),
    }


def rate(answers: Answers, mask: Mask, name: str) -> dict[str, Any]:
    """Return the fraction of correct answers for some photos, bool [n], under a name, with intervals over groups."""
    groups = answers.predictions.groups[mask]
    scores: dict[str, Any] = {"images": int(mask.sum()), "groups": len(np.unique(groups))}
    for suffix, is_correct in answers.outcomes.items():
        scores[f"{name}{suffix}"] = float(is_correct[mask].mean()) if mask.any() else None
        scores[f"{name}{suffix}_interval"] = intervals.cluster_interval(is_correct[mask], groups)
    return scores
