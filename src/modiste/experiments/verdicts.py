"""A sample of images for a verdict by eye, and the share of wrong labels that the verdicts give."""

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modiste.csv_cells import unescape_formula
from modiste.data.split import Indices, Split
from modiste.errors import InputError
from modiste.metrics.label_error_rate import Stratum, estimate_rate
from modiste.metrics.label_quality import LabelQuality
from modiste.reporting.audit_pages import pages
from modiste.reporting.audit_pages.pages import VerdictCard
from modiste.runs import files, results

SAMPLE, PAGE, RATE = "sample.json", "verdicts.html", "label-errors.json"

SAMPLE_SIZE = 100
"""Of the images with the lowest probability of their label, and of all others."""

VERDICTS = ("right", "wrong", "unsure")

MAX_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A verdict file.

    Args:
        by_image: the verdict on each image, by its name.
        annotators: who gave them.
        method: how: what was shown, and what was asked.
    """

    by_image: dict[str, str]
    annotators: str
    method: str


def write_sample(folder: Path, split: Split, quality: LabelQuality, class_names: tuple[str, ...], seed: int) -> None:
    """Draw the images with the least probable labels and as many random others; write a shuffled page and sample.json.

    The first are the stratum `suspect`, though the last of them need be no suspects: their label may be the most
    probable one.
    """
    strata = _draw(quality.order, seed)
    names = split.image_names
    content = {
        "split": split.name,
        "images": len(split),
        "strata": {name: [names[index] for index in indices] for name, indices in strata.items()},
    }
    shuffled = np.random.default_rng(seed).permutation(np.concatenate(list(strata.values())))
    cards = [
        VerdictCard(pages.image_url(split.images[index]), names[index], class_names[quality.labels[index]])
        for index in shuffled
    ]
    files.write_json(folder / SAMPLE, content)
    pages.write_verdict_page(folder / PAGE, split.name, cards, VERDICTS)


def rate(folder: Path, path: Path, command: str) -> dict[str, Any]:
    """Estimate the share of wrong labels by the verdicts in a file; write and return label-errors.json.

    Raises:
        InputError: `folder` has no sample, or the file cannot be read, lacks a verdict on an image of the sample, has
            one on another image or an unknown one, or does not say who gave them and how.
    """
    sample = _read_sample(folder)
    verdicts = read_verdicts(path)
    strata = {str(name): [str(image) for image in images] for name, images in sample["strata"].items()}
    _require_same_images(path, verdicts, [image for images in strata.values() for image in images])
    sizes = {name: len(images) for name, images in strata.items()}
    sizes["random"] = int(sample["images"]) - sizes["suspect"]
    counts = {name: Counter(verdicts.by_image[image] for image in images) for name, images in strata.items()}
    records: list[dict[str, Any]] = [
        {"stratum": name, "images": sizes[name], "n": len(strata[name])} | {key: count[key] for key in VERDICTS}
        for name, count in counts.items()
        if strata[name]
    ]
    estimates = {
        key: estimate_rate([Stratum(r["images"], r["n"], sum(r[verdict] for verdict in counted)) for r in records])
        for key, counted in {"estimate": ("wrong",), "estimate_with_unsure": ("wrong", "unsure")}.items()
    }
    results.write(
        folder / RATE,
        recipe="audit",
        command=command,
        runs=records,
        split=sample["split"],
        images=sample["images"],
        annotators=verdicts.annotators,
        method=verdicts.method,
        **{key: asdict(estimate) for key, estimate in estimates.items()},
    )
    return results.read(folder / RATE)


def read_verdicts(path: Path) -> Verdicts:
    """Read a verdict file, as the page saves it, or a CSV with the columns image, verdict, annotator and method.

    Raises:
        InputError: it cannot be read, has an unknown verdict, or does not say who gave the verdicts and how.
    """
    rows = _read_csv(path) if path.suffix.lower() == ".csv" else _read_json(path)
    for image, verdict, *_ in rows:
        if verdict not in VERDICTS:
            raise InputError(f"{path} has the verdict {verdict!r} on {image}. Write {', '.join(VERDICTS)}.")
    by_image = {image: verdict for image, verdict, *_ in rows}
    if len(by_image) < len(rows):
        twice = next(image for image, count in Counter(row[0] for row in rows).items() if count > 1)
        raise InputError(f"{path} has two verdicts on {twice}. Leave one of them.")
    annotators, method = ("; ".join(sorted({row[column] for row in rows} - {""})) for column in (2, 3))
    if not annotators or not method:
        missing = "who gave the verdicts (annotator)" if not annotators else "how they were given (method)"
        raise InputError(f"{path} does not say {missing}. Add it, since the estimate is only as good as they are.")
    return Verdicts(by_image, annotators, method)


Row = tuple[str, str, str, str]
"""Image, verdict, annotator, method."""


def _read_json(path: Path) -> list[Row]:
    content = files.read_json(path)
    try:
        annotator, method = str(content.get("annotator", "")).strip(), str(content.get("method", "")).strip()
        return [(str(each["image"]), str(each["verdict"]), annotator, method) for each in content["verdicts"]]
    except (AttributeError, KeyError, TypeError):
        raise InputError(
            f'{path} is not a verdict file. Write {{"annotator": "", "method": "", "verdicts": [{{"image": "", '
            '"verdict": ""}]}.'
        ) from None


def _read_csv(path: Path) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(io.StringIO(file.read(MAX_BYTES))))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}). Restore it, or write it again.") from None
    columns = ("image", "verdict", "annotator", "method")
    if not rows or (missing := [name for name in columns if name not in rows[0]]):
        raise InputError(f"{path} lacks {', '.join(missing) if rows else 'rows'}. It needs {', '.join(columns)}.")
    cells = ([unescape_formula((row[name] or "").strip()) for row in rows] for name in columns)
    image, verdict, annotator, method = cells
    return list(zip(image, verdict, annotator, method, strict=True))


def _draw(order: Indices, seed: int) -> dict[str, Indices]:
    """Return the images with the least probable labels, and as many others, drawn without replacement."""
    suspects, others = order[:SAMPLE_SIZE], order[SAMPLE_SIZE:]
    count = min(SAMPLE_SIZE, len(others))
    return {"suspect": suspects, "random": np.random.default_rng(seed).choice(others, count, replace=False)}


def _read_sample(folder: Path) -> dict[str, Any]:
    path = folder / SAMPLE
    if not path.is_file():
        raise InputError(
            f"{folder} has no {SAMPLE}. Name the folder of an audit with --out, or run modiste audit first."
        )
    content = files.read_json(path)
    if not isinstance(content, dict) or {"split", "images", "strata"} - content.keys():
        raise InputError(f"{path} is not a sample. Run modiste audit again.")
    return dict(content)


def _require_same_images(path: Path, verdicts: Verdicts, images: list[str]) -> None:
    """Raise an InputError unless the verdicts are on exactly these images."""
    if others := sorted(verdicts.by_image.keys() - set(images)):
        raise InputError(
            f"{path} has verdicts on {len(others)} images that are not in the sample, such as {others[0]}. Name the "
            "folder of the audit that they were made for with --out."
        )
    if missing := [image for image in images if image not in verdicts.by_image]:
        raise InputError(
            f"{path} has no verdict on {len(missing)} images of the sample, such as {missing[0]}. Add them."
        )
