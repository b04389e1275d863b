"""`modiste predict`: what is on pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from modiste.inference.prediction import Prediction

STDIN = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", metavar="M", help="An .onnx file or a run folder; left out: the bundled model.")
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Labels to tell.")
@click.option("--out", type=click.Path(path_type=Path), metavar="F", help="Write a .csv or .jsonl file instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as a JSON list.")
def predict(files: tuple[str, ...], model: str | None, top: int, out: Path | None, as_json: bool) -> None:
    """Say what is on pictures (JPEG, PNG, WebP).

    A folder stands for all pictures below it, - for one picture on standard input. The exit code is 0 when all went
    well, 1 when some pictures could not be used, 2 when none could.

    \b
    Examples:
      modiste predict boot.png
      modiste predict --top 3 --model runs/my-cnn boot.png
      modiste predict --out labels.csv wardrobe/
      cat boot.png | modiste predict --json -
    """
    import json
    import sys

    from modiste.errors import SettingError

    if out and out.suffix not in (".csv", ".jsonl"):
        raise SettingError(f"--out is {out}, but its name must end in .csv or .jsonl.")
    predictions = _predictions(files, model, top)
    if out:
        _write(out, predictions)
    if as_json:
        click.echo(json.dumps([prediction.as_dict() for prediction in predictions], indent=2, ensure_ascii=False))
    else:
        _print(predictions, out)
    failed = sum(prediction.error is not None for prediction in predictions)
    if failed:
        sys.exit(2 if failed == len(predictions) else 1)


def _predictions(files: tuple[str, ...], model: str | None, top: int) -> list["Prediction"]:
    from dataclasses import replace

    from modiste import inference
    from modiste.cli.models import file_of

    paths = [path for file in files for path in (_below(Path(file)) if Path(file).is_dir() else [file])]
    pictures = (_stdin() if file == STDIN else file for file in paths)
    predictions = inference.load(file_of(model)).predict(pictures, top)
    return [replace(told, file=STDIN) if file == STDIN else told for told, file in zip(predictions, paths, strict=True)]


def _below(folder: Path) -> list[str]:
    """The pictures below a folder; says which it passes over."""
    from modiste.errors import InputError
    from modiste.images.files import pictures_below, unreadable_below

    found, other = pictures_below(folder), unreadable_below(folder)
    if not found:
        raise InputError(
            f"{folder} holds no picture that is read. Give a folder with JPEG, PNG or WebP pictures in it."
        )
    if other:
        named = f"{other[0]} and {len(other) - 1} more are" if other[1:] else f"{other[0]} is"
        click.echo(f"modiste: {named} passed over: JPEG, PNG and WebP are read. Convert them first.", err=True)
    return list(map(str, found))


def _stdin() -> bytes:
    import sys

    from modiste.errors import InputError
    from modiste.images.decode import MAX_BYTES

    if sys.stdin is None:
        raise InputError("Standard input is closed. Send a picture to it: modiste predict - < picture.png")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _print(predictions: list["Prediction"], out: Path | None) -> None:
    """A line a picture; errors go to standard error, as they name their file."""
    for prediction in predictions:
        if prediction.error is not None:
            click.echo(f"modiste: {prediction.error}", err=True)
        elif not out:
            told = ", ".join(f"{label} {100 * probability:.1f} %" for label, probability in prediction.top)
            click.echo(told if len(predictions) == 1 else f"{prediction.file}: {told}")
    if out:
        click.echo(f"{out}: {len(predictions)} prediction{'s' * (len(predictions) != 1)}")


def _write(out: Path, predictions: list["Prediction"]) -> None:
    import csv
    import io
    import json

    from modiste.runs import files

    records = [prediction.as_dict() for prediction in predictions]
    text = io.StringIO()
    if out.suffix == ".jsonl":
        text.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    else:
        writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(record | {"top": json.dumps(record["top"], ensure_ascii=False)} for record in records)
    files.write_text(out, text.getvalue())
