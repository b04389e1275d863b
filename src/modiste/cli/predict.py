"""`modiste predict`: what is on pictures."""

import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modiste.inference.prediction import STDIN, printable

if TYPE_CHECKING:
    from modiste.cli.inputs import Given
    from modiste.imaging.preprocess import Picture
    from modiste.inference.model import Predictor
    from modiste.inference.prediction import Prediction
    from modiste.inference.predictions_file import PredictionsFile

AT_A_TIME, SECONDS = 100, 1.0
"""Lines that are put on the disk label_groups, unless they took longer to come."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", metavar="M", help="An .onnx file, a run folder, or a bundled model: fashion-mnist, photo.")
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Labels to tell.")
@click.option("--out", type=click.Path(path_type=Path), metavar="F", help="Write a .csv or .jsonl file instead.")
@click.option("--heatmap", type=click.Path(path_type=Path), metavar="F", help="A .png of where a label is seen.")
@click.option("--show", type=click.Path(path_type=Path), metavar="F", help="A .png of each stage of a picture.")
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
    """Say what is on pictures (JPEG, PNG, WebP).

    Without --model, each picture gets the bundled model that fits: fashion-mnist for gray ones of 28 x 28 pixels on
    black, photo for all others. A folder stands for all pictures below it, a file of Fashion-MNIST's format (it ends in
    -images-idx3-ubyte or that and .gz) for all images in it, - for one picture on standard input. With --out a stopped
    command goes on where it was: pictures that came later are added, those that could not be used are tried again. The
    exit code is 0 when all went well, 1 when some pictures could not be used, 2 when none could.

    \b
    Examples:
      modiste predict boot.png
      modiste predict --top 3 --model runs/my-cnn boot.png
      modiste predict --out labels.csv wardrobe/
      modiste predict --heatmap where.png --show stages.png boot.png
      cat boot.png | modiste predict --json -
    """
    import sys
    from dataclasses import replace

    from modiste import inference
    from modiste.cli import inputs
    from modiste.cli.model_option import file_of
    from modiste.errors import SettingError
    from modiste.inference.predictions_file import PredictionsFile

    if out and as_json:
        raise SettingError(
            "--out writes a file, --json prints. Leave one of them out; a name that ends in .jsonl is JSON."
        )
    if "" in files:
        raise SettingError("A name is empty. Give the path of a picture.")
    drawings = {option: path for option, path in (("--heatmap", heatmap), ("--show", show)) if path}
    given = inputs.given(files)
    _require_drawable(drawings, given.names)
    threads = 0 if len(given.names) == 1 else 1  # many: a thread a picture instead
    loaded = inference.load(file_of(model), threads)
    _draw(drawings, given, loaded)
    if out:
        with PredictionsFile(out, {*(each.name for each in loaded.models), loaded.name}) as told:
            before = told.rows
            missing = replace(given, names=list(told.missing(given.names)))
            _write(told, _told(missing, loaded, top), len(missing.names))
        failed, rows = told.failed, told.rows
        click.echo(_summary(out, rows, before, failed))
    else:
        rows = len(given.names)
        failed = _print(_told(given, loaded, top), rows, as_json, model is None)
    if failed:
        sys.exit(2 if failed == rows else 1)


def _require_drawable(drawings: dict[str, Path], names: list[str]) -> None:
    """Raise a SettingError unless every drawing is of one picture, into a .png file of its own."""
    from modiste.errors import SettingError

    for option, path in drawings.items():
        if path.suffix != ".png":
            raise SettingError(
                f"{option} names the picture that is written, so its name must end in .png: {option} drawn.png PICTURE"
            )
        if len(names) != 1 or names == [STDIN]:
            raise SettingError(f"{option} draws one picture. Give the path of one.")
    paths = [os.path.realpath(path) for path in (*drawings.values(), *(names if drawings else ()))]
    if len(set(paths)) < len(paths):
        raise SettingError("A drawing goes into a file of its own. Give it another name.")


def _draw(drawings: dict[str, Path], given: "Given", model: "Predictor") -> None:
    from modiste.runs.files import write_bytes

    for option, path in drawings.items():
        write_bytes(path, (_heatmap if option == "--heatmap" else _stages)(given.picture(given.names[0]), model))


def _heatmap(picture: "Picture", model: "Predictor") -> bytes:
    """The evidence for its label over what the network sees of a picture."""
    import numpy as np

    from modiste.imaging.contact_sheet import png
    from modiste.imaging.heatmap import overlay

    mine, image = model.preprocess(picture)
    label = int(np.argmax(mine.probabilities(image[None])[0]))
    return png(overlay(image, mine.occlusion_map(image, label)))


def _stages(picture: "Picture", model: "Predictor") -> bytes:
    """All that becomes of a picture on its way to the network."""
    from modiste.imaging.contact_sheet import strip
    from modiste.imaging.preprocess import photo_of, stages

    photo = photo_of(picture)
    mine = model.select_model(photo)
    return strip(stages(photo, mine.image_size, mine.channels))


def _told(given: "Given", model: "Predictor", top: int) -> Generator["Prediction"]:
    from dataclasses import replace

    from modiste.runs.environment import usable_cores

    threads = min(usable_cores(), len(given.names)) or 1
    told = model.stream(map(given.picture, given.names), top, threads)
    for prediction, name in zip(told, given.names, strict=True):
        yield replace(prediction, file=printable(name))


def _write(labels: "PredictionsFile", told: Generator["Prediction"], count: int) -> None:
    """Add the predictions to the file some at a time, with a bar on a terminal.

    Raises:
        Stopped: Ctrl-C; what is told is kept.
    """
    import signal

    from modiste.cli.progress import bar
    from modiste.errors import Stopped

    try:
        with bar(count) as advance:
            while some := _some(told):
                labels.add(some)
                for prediction in some:
                    _complain(prediction)
                advance(len(some))
    except KeyboardInterrupt:
        told.close()
        labels.read()  # again: it may have come in the middle of a write
        kept = _count(labels.rows)
        raise Stopped(signal.SIGINT, f"Stopped. {labels.path} keeps {kept}; the same command goes on.") from None


def _some(told: Iterator["Prediction"]) -> list["Prediction"]:
    """The next predictions: a hundred, or those of a second."""
    import time

    some: list[Prediction] = []
    until = time.monotonic() + SECONDS
    while len(some) < AT_A_TIME and (not some or time.monotonic() < until):
        following = next(told, None)
        if following is None:
            break
        some.append(following)
    return some


def _print(predictions: Iterable["Prediction"], count: int, as_json: bool, is_picked: bool) -> int:
    """Print a line a picture as it comes, or all as JSON; return how many could not be used.

    Args:
        predictions: of the pictures.
        count: of them; a single one is told without its name.
        as_json: print records instead.
        is_picked: each picture has its own model, so that it is told which.
    """
    from modiste.cli.output import print_json

    failed, records = 0, []
    for prediction in predictions:
        failed += _complain(prediction)
        if as_json:
            records.append(prediction.as_dict())
        elif prediction.error is None:
            line = _line(prediction) + (f"  ({prediction.model})" if is_picked else "")
            click.echo(line if count == 1 else f"{prediction.file}: {line}")
    if as_json:
        print_json(records, indent=2)
    return failed


def _line(prediction: "Prediction") -> str:
    is_sure = prediction.label == prediction.top[0][0]
    others = [each for each in prediction.top if is_sure or each[0] != prediction.label]
    told = ", ".join(f"{label} {100 * probability:.1f} %" for label, probability in others)
    return told if is_sure else f"{prediction.label}, or {told}"


def _complain(prediction: "Prediction") -> bool:
    """Whether the picture could not be used; why goes to standard error, and names the file."""
    if prediction.error is not None:
        click.echo(f"modiste: {prediction.error}", err=True)
    return prediction.error is not None


def _summary(out: Path, rows: int, before: int, failed: int) -> str:
    old = f", {before} of them from before" if before else ""
    broken = f"; {failed} could not be used" if failed else ""
    return f"{printable(str(out))}: {_count(rows)}{old}{broken}"


def _count(rows: int) -> str:
    return f"{rows} picture{'s' * (rows != 1)}"
