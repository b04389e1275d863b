"""`modiste predict`: classify photos."""

import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modiste.cli.options import OutputFile
from modiste.inference.prediction import STDIN, printable

if TYPE_CHECKING:
    from modiste.cli.inputs import NamedPhoto
    from modiste.imaging.preprocess import PhotoInput
    from modiste.inference.model import Predictor
    from modiste.inference.prediction import Prediction
    from modiste.inference.predictions_file import PredictionsFile

ROWS_PER_WRITE = 100
"""A killed command loses the predictions of at most as many photos."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", metavar="M", help="An .onnx file, a run folder, or a bundled model: fashion-mnist, photo.")
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Number of classes.")
@click.option("--out", type=OutputFile(".csv", ".jsonl"), metavar="F", help="Write predictions to a .csv or .jsonl.")
@click.option("--heatmap", type=OutputFile(".png"), metavar="F", help="Write a .png of the regions that matter.")
@click.option("--show", type=OutputFile(".png"), metavar="F", help="Write a .png of each preprocessing stage.")
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as a JSON list.")
def predict(
    files: tuple[str, ...],
    model: str | None,
    top: int,
    out: Path | None,
    heatmap: Path | None,
    show: Path | None,
    as_json: bool,
) -> None:
    """Predict the class of photos (JPEG, PNG, WebP).

    FILE is a photo, a folder (all photos below it), an IDX file (its name ends in -images-idx3-ubyte, or in that and
    .gz), or - for one photo on standard input. Without --model, a bundled model is selected for each photo:
    fashion-mnist for images like those of Fashion-MNIST (gray, on black), photo for all others.

    With --out, a command that was stopped can be repeated: photos with a valid row are skipped. Photos that failed,
    that were replaced since, or whose row is from another model or --top are predicted again. Rows of photos that are
    no longer in the folders given now are removed; rows of other folders stay. A file F.state beside F records which
    model and which photos the rows are from.

    The exit code is 0 when all photos were predicted, 1 when some could not be used, 2 when none could.

    \b
    Examples:
      modiste predict boot.png
      modiste predict --top 3 --model runs/my-cnn boot.png
      modiste predict --out labels.csv wardrobe/
      modiste predict --heatmap heatmap.png --show stages.png boot.png
      cat boot.png | modiste predict --json -
    """
    import sys

    from modiste import inference
    from modiste.cli.inputs import find_model, find_photos
    from modiste.errors import SettingError

    if out and as_json:
        raise SettingError("--out writes a file, --json prints. Leave one out; a name that ends in .jsonl is JSON.")
    drawings = {option: path for option, path in (("--heatmap", heatmap), ("--show", show)) if path}
    photos = find_photos(files)
    _require_drawable(drawings, [name for name, _ in photos])
    threads = 0 if len(photos) == 1 else 1  # of a model; several photos are predicted on a thread each
    predictor = inference.load(find_model(model), threads)
    _write_drawings(drawings, photos[0][1], predictor)
    if out:
        rows, failed = _write_predictions(out, files, photos, predictor, top)
    else:
        rows = len(photos)
        failed = _print_and_count_failures(_predict(photos, predictor, top), rows, as_json, show_model=model is None)
    if failed:
        sys.exit(2 if failed == rows else 1)


def _require_drawable(drawings: dict[str, Path], names: list[str]) -> None:
    """Raise a SettingError unless each drawing is of one photo and is written to a file of its own."""
    from modiste.errors import SettingError

    for option in drawings:
        if len(names) != 1 or names == [STDIN]:
            raise SettingError(f"{option} draws one photo. Give the path of one.")
    paths = [os.path.realpath(path) for path in (*drawings.values(), *(names if drawings else ()))]
    if len(set(paths)) < len(paths):
        raise SettingError("Each drawing needs a file of its own, which is not the photo. Give another name.")


def _write_drawings(drawings: dict[str, Path], photo: "PhotoInput", predictor: "Predictor") -> None:
    from modiste.runs.files import write_bytes

    for option, path in drawings.items():
        draw = _heatmap_png if option == "--heatmap" else _stages_png
        write_bytes(path, draw(photo, predictor))


def _heatmap_png(photo: "PhotoInput", predictor: "Predictor") -> bytes:
    """Draw the occlusion map of the most probable class over the image that the model takes."""
    from modiste.imaging import png
    from modiste.imaging.heatmap import overlay

    model, image = predictor.preprocess(photo)
    label = int(model.probabilities(image[None]).argmax())
    return png.encode(overlay(image, model.occlusion_map(image, label)))


def _stages_png(photo: "PhotoInput", predictor: "Predictor") -> bytes:
    """Draw the photo after each stage of preprocessing."""
    import numpy as np

    from modiste.imaging.contact_sheet import contact_sheet
    from modiste.imaging.preprocess import preprocessing_steps

    model, _ = predictor.preprocess(photo)
    steps = preprocessing_steps(photo, model.image_size, model.channels, model.is_on_black, model.resize_mode)
    rows = [(f"{name}\n{image.width} x {image.height}", np.asarray(image)[None]) for name, image in steps]
    return contact_sheet(rows, side=224)


def _predict(photos: "list[NamedPhoto]", predictor: "Predictor", top: int) -> Generator["Prediction"]:
    """Yield the prediction of each photo, with its name as `file`; print the error of one that could not be used."""
    from dataclasses import replace
    from itertools import starmap

    from modiste.cli.inputs import read_photo
    from modiste.runs.environment import usable_cores

    threads = min(usable_cores(), len(photos)) or 1
    predictions = predictor.stream(starmap(read_photo, photos), top, threads)
    for prediction, (name, _) in zip(predictions, photos, strict=True):
        if prediction.error is not None:
            click.echo(f"modiste: {prediction.error}", err=True)
        yield replace(prediction, file=printable(name))


def _write_predictions(
    out: Path, files: tuple[str, ...], photos: "list[NamedPhoto]", predictor: "Predictor", top: int
) -> tuple[int, int]:
    """Write the rows that --out lacks and print a summary; return the number of all rows and of failed ones."""
    from modiste.inference.predictions_file import open_predictions

    by_name = dict(photos)
    with open_predictions(out, predictor.sha256, top, list(by_name), files) as file:
        old_rows = file.rows
        _append_predictions(file, _predict([(name, by_name[name]) for name in file.missing], predictor, top))
    summary = f"{printable(str(out))}: {_format_count(file.rows)}"
    summary += f", {old_rows} of them from before" if old_rows else ""
    summary += f", {file.replaced} predicted again" if file.replaced else ""
    summary += f", {file.removed} removed because their photos are gone" if file.removed else ""
    click.echo(summary + (f"; {file.failed} could not be used" if file.failed else ""))
    return file.rows, file.failed


def _append_predictions(file: "PredictionsFile", predictions: Generator["Prediction"]) -> None:
    """Append the predictions in batches, with a progress bar on a terminal; raises Stopped on Ctrl-C."""
    import signal
    from itertools import islice

    from modiste.errors import Stopped
    from modiste.training.progress import progress_bar

    try:
        with progress_bar(len(file.missing)) as advance:
            while batch := list(islice(predictions, ROWS_PER_WRITE)):
                file.append(batch)
                advance(len(batch))
    except KeyboardInterrupt:
        predictions.close()
        rows = _format_count(file.count_rows())
        raise Stopped(signal.SIGINT, f"Stopped. {file.path} has {rows}; the same command resumes.") from None


def _print_and_count_failures(
    predictions: Iterable["Prediction"], n_photos: int, as_json: bool, show_model: bool
) -> int:
    """Print a line per photo as it is predicted, or all records as JSON; return how many photos could not be used."""
    from modiste.cli.output import print_json

    failed, records = 0, []
    for prediction in predictions:
        failed += prediction.error is not None
        if as_json:
            records.append(prediction.as_dict())
        elif prediction.error is None:
            line = _format_line(prediction) + (f"  ({prediction.model})" if show_model else "")
            click.echo(line if n_photos == 1 else f"{prediction.file}: {line}")
    if as_json:
        print_json(records, indent=2)
    return failed


def _format_line(prediction: "Prediction") -> str:
    """Format the classes with their percentages, after "none of these, or" where the model abstained.

    Kinds of shoe that are close are one entry, with the sum of their probabilities.
    """
    is_abstained = prediction.label != prediction.top[0][0]
    close = dict(prediction.close_labels)
    listed = [(label, value) for label, value in prediction.top if label not in close]
    shown = [best for best in listed if not is_abstained or best[0] != prediction.label]
    if close:
        shown.insert(0, (_format_close_labels(list(close)), sum(close.values())))
    classes = ", ".join(f"{label} {100 * probability:.1f} %" for label, probability in shown)
    return f"{prediction.label}, or {classes}" if is_abstained else classes


def _format_close_labels(labels: list[str]) -> str:
    """Join classes of a group: "shoe: sandal, sneaker or ankle boot"."""
    from modiste.labels import SHOES

    *first, last = labels
    text = f"{', '.join(first)} or {last}"
    return f"shoe: {text.lower()}" if {*labels} <= {*SHOES} else text


def _format_count(photos: int) -> str:
    return f"{photos} photo{'s' * (photos != 1)}"
