"""A report on data before anything is trained on it: damaged files, small classes, duplicates, similar class names."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from modiste.data.annotations import open_part, read_group_names
from modiste.data.class_values import simplify
from modiste.data.duplicates import find_exact, find_near
from modiste.data.file_list import FileList
from modiste.data.folders import ClassFolders
from modiste.data.lazy_split import SPLITS, LazySplit, Source
from modiste.data.photo_loader import MAX_DECODERS
from modiste.data.sources import dataset_name, open_source
from modiste.data.split import CandidateLabels, Images, Labels
from modiste.errors import InputError
from modiste.imaging import preprocess
from modiste.imaging.thumbnails import gray_thumbnail
from modiste.recipes.config import DataConfig

MIN_IMAGES = 20
"""Training images of a class; of fewer there is a warning."""

MIN_HELD_OUT = 5
"""Training images that a class needs if a fifth is to be held out for validation."""

MIN_RATIO = 10
"""Ratio of the largest class to the smallest from which there is a warning."""

BLOCK = 256
"""Images that are read at once."""

Record = dict[str, Any]


class Inspected(NamedTuple):
    """What is left of an image, or of the photo that it is made from: a digest of its pixels, and a thumbnail."""

    digest: bytes
    thumbnail: Images


@dataclass(frozen=True)
class SplitReport:
    """What was read of a split.

    Args:
        record: `split`, `images` (how many), `shape` (of one), `labels` (how many of each), and `sha256` of images and
            labels, empty where a file is damaged.
        names: of the images that could be read.
        labels: int64, their labels.
        inspected: digests and thumbnails, in the same order.
        unreadable: name and error of each image that could not be read.
        group_names: for each image that could be read its group or None; None for data without groups.
    """

    record: Record
    names: list[str]
    labels: Labels
    inspected: list[Inspected]
    unreadable: list[tuple[str, str]]
    group_names: list[str | None] | None


def verify(data: DataConfig) -> Record:
    """Read every image of every split, and report what may be wrong; nothing is evaluated, so no opening is counted.

    Returns:
        `dataset`; `splits`, see `SplitReport`; `ignored`, the files that are not used; `unreadable`, `file` and `error`
        of each; `similar_names`, pairs of classes; `duplicates`, names of images that are the same; `near_duplicates`,
        pairs of names; `warnings`, sentences on these and on the numbers of images.

    Raises:
        InputError: the source as a whole cannot be used.
        SettingError: size or channels do not fit it.
    """
    source = open_source(data)
    unreadable: list[tuple[str, str]] = []
    if isinstance(source, ClassFolders):
        unreadable = [(str(path), f"{path} {error}") for path, error in source.unusable_files()]
    if isinstance(source, ClassFolders | FileList):
        source = replace(source, is_lenient=True)
    reports = [_read_split(source, data, split) for split in SPLITS if source.has_split(split)]
    unreadable += [each for report in reports for each in report.unreadable]
    names = [name for report in reports for name in report.names]
    inspected = [each for report in reports for each in report.inspected]
    exact = find_exact([each.digest for each in inspected])
    near = _find_near_only([each.thumbnail for each in inspected], exact)
    similar = _similar_names(source.class_names)
    train = reports[0]
    is_cut = source.has_split("train") and not source.has_split("validation")
    warnings = [
        *(class_size_warnings(train.record["labels"]) if train.record["split"] == "train" else []),
        *(_held_out_warnings(train.record["labels"]) if is_cut else []),
        *(f"The classes {first!r} and {second!r} differ only in case, accents or spaces." for first, second in similar),
        *_missing_class_warnings(reports),
        *_group_warnings(reports),
        *_duplicate_warnings("the same", exact, reports),
        *_duplicate_warnings("nearly the same", near, reports),
    ]
    return {
        "dataset": dataset_name(data),
        "splits": [report.record for report in reports],
        "ignored": list(map(str, source.ignored_files())) if isinstance(source, ClassFolders) else [],
        "unreadable": [{"file": file, "error": error} for file, error in unreadable],
        "similar_names": similar,
        "duplicates": [[names[index] for index in same] for same in exact],
        "near_duplicates": [[names[index] for index in pair] for pair in near],
        "warnings": warnings,
    }


def count_by_class(
    class_names: Sequence[str], labels: Labels, candidate_labels: CandidateLabels | None
) -> dict[str, int]:
    """Count the images of each class; one with several candidate labels counts for each of them."""
    if candidate_labels is not None:
        counts = candidate_labels.sum(0)
    else:
        counts = np.bincount(labels, minlength=len(class_names))
    return dict(zip(class_names, counts.tolist(), strict=True))


def class_size_warnings(counts: Mapping[str, int], is_balanced: bool = False) -> list[str]:
    """Return sentences on classes with few training images, and on classes of very different sizes, by their counts.

    Args:
        counts: number of images by class.
        is_balanced: whether small classes have larger weights or are sampled more often, so that sizes may differ.
    """
    warnings = []
    if small := [f"{name} {count}" for name, count in counts.items() if count < MIN_IMAGES]:
        listed = ", ".join(small[:5]) + (" and more" if small[5:] else "")
        warnings.append(
            f"{len(small)} of {len(counts)} classes have fewer than {MIN_IMAGES} training images ({listed}): their "
            "scores are uncertain. Add images."
        )
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if not is_balanced and counts[largest] >= MIN_RATIO * max(counts[smallest], 1):
        warnings.append(
            f"{largest} has {counts[largest]:,} training images, {smallest} {counts[smallest]:,}: small classes are "
            "predicted too seldom. Try --set loss.class_weights=balanced."
        )
    return warnings


def _read_split(source: Source, data: DataConfig, split: str) -> SplitReport:
    """Read every image of a split."""
    part = open_part(source, data, split)
    names, rows, inspected, unreadable = [], [], [], []
    digest, shape = hashlib.sha256(), []
    for row, result in enumerate(_inspect_all(part)):
        if isinstance(result, InputError):
            unreadable.append((part.names[row], str(result)))
            continue
        image, rest = result
        digest.update(np.ascontiguousarray(image).data)
        shape = list(image.shape)
        names.append(part.names[row])
        rows.append(row)
        inspected.append(rest)
    for values in (part.labels, part.candidate_labels):
        if values is not None:
            digest.update(np.ascontiguousarray(values).data)
    indices = np.array(rows, np.int64)
    labels = part.labels[indices]
    candidate_labels = None if part.candidate_labels is None else part.candidate_labels[indices]
    record = {
        "split": split,
        "images": len(rows),
        "shape": shape,
        "labels": count_by_class(source.class_names, labels, candidate_labels),
        "sha256": "" if unreadable else digest.hexdigest(),
    }
    group_names = read_group_names(source, data, split, part)
    if group_names is not None:
        group_names = [group_names[row] for row in rows]
    return SplitReport(record, names, labels, inspected, unreadable, group_names)


def _inspect_all(part: LazySplit) -> Iterator[tuple[Images, Inspected] | InputError]:
    """Yield each image of a split, or the error that reading it raised."""
    with ThreadPoolExecutor(MAX_DECODERS) as pool:
        for start in range(0, len(part.labels), BLOCK):
            yield from pool.map(partial(_inspect, part), range(start, min(start + BLOCK, len(part.labels))))


def _inspect(part: LazySplit, index: int) -> tuple[Images, Inspected] | InputError:
    try:
        image = part.load(np.array([index]))[0]
        pixels = image if part.photo is None else preprocess.to_photo(part.photo(index))
    except InputError as error:
        return error
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16, key=str(pixels.shape).encode())
    return image, Inspected(digest.digest(), gray_thumbnail(pixels))


def _find_near_only(thumbnails: list[Images], exact: list[list[int]]) -> list[list[int]]:
    """Return the pairs of near-duplicates that are not the same."""
    if not thumbnails:
        return []
    set_of_image = {index: set_index for set_index, same in enumerate(exact) for index in same}
    pairs = find_near(np.stack(thumbnails)).tolist()
    return [pair for pair in pairs if set_of_image.get(pair[0], -1) != set_of_image.get(pair[1], -2)]


def _similar_names(class_names: tuple[str, ...]) -> list[list[str]]:
    """Return the pairs of classes whose names are typed differently only."""
    return [list(pair) for pair in combinations(class_names, 2) if simplify(pair[0]) == simplify(pair[1])]


def _held_out_warnings(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence on a class with too few images to hold some out, as recipes do by default."""
    name = min(counts, key=counts.__getitem__)
    if counts[name] >= MIN_HELD_OUT:
        return []
    reason = f"{name} has fewer than {MIN_HELD_OUT} training images, so a fifth cannot be held out for validation"
    return [f"{reason}: add images, or train with --set data.val_fraction=0."]


def _missing_class_warnings(reports: list[SplitReport]) -> list[str]:
    """Return a sentence for each split to evaluate on that has no images of a class."""
    missing = [
        (report.record["split"], [name for name, count in report.record["labels"].items() if not count])
        for report in reports
        if report.record["split"] != "train"
    ]
    return [
        f"{split} has no images of {', '.join(names[:5])}{' and more' * bool(names[5:])}: its scores say nothing about "
        f"{'this class' if len(names) == 1 else 'these classes'}. Add images."
        for split, names in missing
        if names
    ]


def _group_warnings(reports: list[SplitReport]) -> list[str]:
    """Return a sentence for each two splits that share groups."""
    groups = [(report.record["split"], set(filter(None, report.group_names or ()))) for report in reports]
    shared = [(first, second, sorted(one & other)) for (first, one), (second, other) in combinations(groups, 2)]
    return [
        f"{first} and {second} have {len(names)} group{'s' * (len(names) > 1)} in common, such as {names[0]}: scores "
        "are too good. Move each into one of the two."
        for first, second, names in shared
        if names
    ]


def _duplicate_warnings(kind: str, sets: list[list[int]], reports: list[SplitReport]) -> list[str]:
    """Return a sentence on sets of similar images in several splits, of training images, and of different labels."""
    names = [name for report in reports for name in report.names]
    splits = [report.record["split"] for report in reports for _ in report.names]
    labels = [label for report in reports for label in report.labels.tolist()]

    def describe(image_sets: list[list[int]], place: str, advice: str) -> list[str]:
        if not image_sets:
            return []
        count = f"{len(image_sets):,} set{'s' * (len(image_sets) > 1)} of images {place}"
        return [f"{count}: {kind}, such as {names[image_sets[0][0]]} and {names[image_sets[0][-1]]}. {advice}"]

    across = [same for same in sets if len({splits[index] for index in same}) > 1]
    within = [same for same in sets if {splits[index] for index in same} == {"train"}]
    differing = [same for same in sets if len({labels[index] for index in same}) > 1]
    return [
        *describe(across, "in different splits", "Scores may be too good. Remove one of each."),
        *describe(within, "in train", "A fold may hold out one. List them in groups.csv, or remove one of each."),
        *describe(differing, "with different labels", "Correct one of each."),
    ]
