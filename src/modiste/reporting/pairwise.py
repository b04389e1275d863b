"""Compare each pair of methods: over seeds, over the images that both predicted, or say why they cannot be."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from modiste.metrics import significance
from modiste.metrics.significance import Comparison
from modiste.reporting.predictions import ImagePredictions
from modiste.reporting.results_table import MethodResult, setting_differences
from modiste.runs.run_info import RunInfo

Seed = tuple[int, int]
"""Seed and fold."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method with all its trainings.

    Args:
        result: of all of them.
        predictions: of the runs that were read with theirs, by seed and fold.
        parts: the results that it was pooled from.
    """

    result: MethodResult
    predictions: Mapping[Seed, ImagePredictions] = field(default_factory=dict)
    parts: tuple[MethodResult, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.result.name


@dataclass(frozen=True, slots=True)
class Pair:
    """The comparison of two methods in accuracy.

    Args:
        first: name of a method.
        second: name of another one.
        seeds: over seeds or folds; None with fewer than two for either.
        images: over the images that both predicted; None without predictions of the same images.
        reason: why they are not compared at all; empty where they are.
    """

    first: str
    second: str
    seeds: Comparison | None = None
    images: Comparison | None = None
    reason: str = ""

    @property
    def main(self) -> Comparison | None:
        """The comparison that the sentence is about: over seeds, or over images without seeds."""
        return self.seeds or self.images

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        comparisons = {key: each and each.as_dict() for key, each in (("seeds", self.seeds), ("images", self.images))}
        return {"first": self.first, "second": self.second, **comparisons, "reason": self.reason}


def pool_methods(
    results: Sequence[MethodResult], predictions: Mapping[str, ImagePredictions] | None = None
) -> list[Method]:
    """Combine runs that differ in seed or fold alone into one method each; all else is a method of its own.

    The method has the name of the runs' common folder, such as runs/bench/NAME/seed-0, or that of the first run.
    """
    groups: list[list[MethodResult]] = []
    for result in results:
        group = next((group for group in groups if _is_same_method(group[0], result)), None)
        groups.append([result]) if group is None else group.append(result)
    methods: list[Method] = []
    for group in groups:
        by_seed = {(each.run_results[0].seed, each.run_results[0].fold): each for each in group}
        parts = [group] if len(by_seed) == len(group) else [[each] for each in group]  # the same seed twice
        names = {method.name for method in methods} | {each.name for each in results if each not in group}
        methods += [_to_method(part, predictions or {}, names) for part in parts]
    return methods


def _is_same_method(one: MethodResult, other: MethodResult) -> bool:
    if not (one.run and other.run) or one.split != other.split or one.dataset != other.dataset:
        return False
    return not setting_differences(one, other)


def _to_method(
    group: Sequence[MethodResult], predictions: Mapping[str, ImagePredictions], other_names: set[str]
) -> Method:
    first = group[0]
    by_seed = {
        (each.run_results[0].seed, each.run_results[0].fold): predictions[each.name]
        for each in group
        if each.name in predictions
    }
    if len(group) == 1:
        return Method(first, by_seed, (first,))
    run_results = tuple(sorted((each.run_results[0] for each in group), key=lambda each: (each.seed, each.fold)))
    images = sum(each.images for each in group) if first.split == "validation" else first.images
    folders = {Path(each.run.path).resolve().parent for each in group if each.run}
    folder_name = folders.pop().name if len(folders) == 1 else ""
    name = folder_name if folder_name not in {"", "runs", *other_names} else f"{first.name} and {len(group) - 1} more"
    pooled = replace(first, name=name, run_results=run_results, images=images, run=None, history=(), scores=None)
    return Method(pooled, by_seed, tuple(group))


def compare_pairs(methods: Sequence[Method]) -> list[Pair]:
    """Compare each pair of methods; with several pairs, the p-values also have Holm's correction for all of them."""
    pairs = list(itertools.starmap(compare_methods, itertools.combinations(methods, 2)))
    tested = [place for place, pair in enumerate(pairs) if pair.main]
    corrected = significance.adjust_holm([main for pair in pairs if (main := pair.main)])
    for place, comparison in zip(tested, corrected, strict=True):
        pair = pairs[place]
        pairs[place] = replace(pair, seeds=comparison) if pair.seeds else replace(pair, images=comparison)
    return pairs


def compare_methods(one: Method, other: Method) -> Pair:
    """Compare two methods in accuracy, over seeds and over images, as far as they can be."""
    pair = Pair(one.name, other.name)
    if reason := _other_images(one, other):
        return replace(pair, reason=reason)
    unit = one.result.unit if one.result.unit == other.result.unit else "trainings"
    seeds = significance.compare_runs(one.result.by_seed(), other.result.by_seed(), unit)
    images = _compare_images(one, other)
    if seeds or images:
        return replace(pair, seeds=seeds, images=images)
    single = [each.name for each in (one, other) if each.result.n < 2]
    subject = f"{' and '.join(single)} {'are one training each' if len(single) > 1 else 'is one training'}"
    return replace(
        pair,
        reason=f"{subject}, which shows no spread, so there is no interval over seeds. Train two seeds or more of each "
        f"(modiste bench RECIPE --seeds 6), or {_advise_images(one, other)}.",
    )


def _advise_images(*methods: Method) -> str:
    """Return what to give so that methods are compared over images; a results file has no predictions, its runs do."""
    names = [each.name for each in methods if each.result.scores is None and each.result.info == RunInfo()]
    if not names:
        return "give predictions of the same images of both"
    runs = " and ".join(f"runs/bench/{name}/*" for name in names)
    return f"compare over images: give the run folders of the bench, as {runs}, in place of its results file"


def _other_images(one: Method, other: Method) -> str:
    """Return why two methods cannot be compared: not evaluated, or evaluated on different images."""
    results = one.result, other.result
    missing = [each.name for each in results if each.accuracy is None]
    if missing:
        return f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not evaluated."
    first, second = results
    same = first.split == second.split and first.images == second.images and first.dataset == second.dataset
    if same and first.scores and second.scores:
        supports = [
            {label.name: label.support for label in each.scores.per_class if label.support}
            for each in results
            if each.scores
        ]
        same = supports[0] == supports[1]
    return "" if same else "they were evaluated on different images."


def _compare_images(one: Method, other: Method) -> Comparison | None:
    """Compare over images; None unless both have predictions of the same images for each of their trainings."""
    first, second = _stack(one), _stack(other)
    if first is None or second is None or not np.array_equal(first.labels, second.labels):
        return None
    return significance.compare_images(first.is_correct, second.is_correct, first.groups)


def _stack(method: Method) -> ImagePredictions | None:
    """Return the predictions of all trainings of a method, [n] or of several seeds [seeds, n]; folds follow each other.

    None where one is missing, or where seeds are of different images.
    """
    if not method.predictions or len(method.predictions) != method.result.n:
        return None
    parts = [method.predictions[key] for key in sorted(method.predictions)]
    first = parts[0]
    if len(parts) == 1:
        return first
    if method.result.unit == "folds":
        labels, is_correct = (
            np.concatenate([getattr(part, key) for part in parts]) for key in ("labels", "is_correct")
        )
        groups = [part.groups for part in parts if part.groups is not None]
        return ImagePredictions(labels, is_correct, np.concatenate(groups) if len(groups) == len(parts) else None)
    if not all(np.array_equal(part.labels, first.labels) for part in parts):
        return None
    return replace(first, is_correct=np.stack([part.is_correct for part in parts]))
