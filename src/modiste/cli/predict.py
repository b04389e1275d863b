"""`modiste predict`: classify photos."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from modiste.cli.drawings import require_drawable, write_drawings
from modiste.cli.options import OutputFile, model_option
from modiste.cli.predict_files import predict_photos, write_rows, write_shards
from modiste.inference.prediction import printable

if TYPE_CHECKING:
    from modiste.inference.prediction import Prediction

NOT_PARQUET = (".csv", ".jsonl")
"""Suffixes of the files of rows, which a cluster does not write."""


def check_out(context: click.Context, option: click.Parameter, out: str | None) -> str | None:
    """Raise a SettingError for a file with another suffix or a URL; on a cluster, the output is a folder or prefix."""
    from modiste.errors import SettingError
    from modiste.runs.storage import is_url

    if out is None:
        return None
    if context.params.get("cluster"):
        if Path(out).suffix.lower() in NOT_PARQUET:
            raise SettingError(f"--out is {out}, but a cluster writes a folder of Parquet files. Give another name.")
        return out
    if is_url(out):
        raise SettingError(f"--out is {out}, but only a cluster writes to a URL. Give a file, or add --cluster.")
    OutputFile(*NOT_PARQUET, ".parquet").convert(out, option, context)
    return out


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@model_option
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Number of classes.")
@click.option(
    "--out", metavar="F", callback=check_out,
    help="Write predictions to a .csv, .jsonl or .parquet; with --cluster, to Parquet files in a folder or prefix.",
)  # fmt: skip
@click.option(
    "--cluster", metavar="ADDRESS", is_eager=True,
    help="Predict on a Ray cluster: HOST:PORT, or auto for that of this machine.",
)  # fmt: skip
@click.option("--cpus", type=click.IntRange(1), help="CPU cores of each model on a cluster.  [default: 1]")
@click.option("--heatmap", type=OutputFile(".png"), metavar="F", help="Write a .png of the regions that matter.")
@click.option("--show", type=OutputFile(".png"), metavar="F", help="Write a .png of each preprocessing stage.")
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as a JSON list.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the predictions as CSV.")
@click.option("--bom", is_flag=True, help="With CSV: begin with a byte order mark, by which Excel recognizes UTF-8.")
def predict(
    files: tuple[str, ...],
    model: str | None,
    top: int,
    out: str | None,
    cluster: str | None,
    cpus: int | None,
    heatmap: Path | None,
    show: Path | None,
    as_json: bool,
    as_csv: bool,
    bom: bool,
) -> None:
    """Predict the class of photos (JPEG, PNG, WebP, and HEIC with modiste[heic]).

    FILE is a photo, a folder (all photos below it that are not hidden), an IDX file (its name ends in
    -images-idx3-ubyte, or in that and .gz), or - for one photo on standard input. Without --model, a bundled model is
    selected for each photo: fashion-mnist for images like those of Fashion-MNIST (gray, on black), photo for all
    others.

    With --out F.csv or F.jsonl, a command that was stopped can be repeated: photos with a valid row are skipped. Photos
    that failed, that were replaced since, or whose row is from another model or --top are predicted again. Rows of
    photos that are no longer in the folders given now are removed; rows of other folders stay, and so do labels that
    you corrected. A file F.state beside F records which model and which photos the rows are from.

    CSV has the columns file, label, probability, then label_1, probability_1 and so on for --top classes, model and
    error. Cells that a spreadsheet would take for a formula begin with an apostrophe; a file name with a line break or
    another control character is a JSON string.

    With --out F.parquet and on a cluster, FILE may also be an s3:// prefix or any other URL that fsspec opens, or
    Parquet files with a column of bytes. Predictions are written in shards; a command that was stopped predicts the
    shards that are missing. A photo that could not be used is a row with its error. What is finished is not predicted
    again, and is neither extended nor replaced: other photos, another model or another --top need another --out.

    The exit code is 0 when all photos were predicted, 1 when some could not be used, 2 when none could or for bad
    input, 4 when the output cannot be written, and 130 or 143 after Ctrl-C or SIGTERM.

    \b
    Examples:
      modiste predict boot.png
      modiste predict --top 3 --model runs/my-cnn boot.png
      modiste predict --out labels.csv wardrobe/
      modiste predict --csv --bom --top 3 wardrobe/ > labels.csv
      modiste predict --out labels.parquet s3://shop/photos
      modiste predict --cluster auto --out s3://shop/labels s3://shop/photos
      modiste predict --heatmap heatmap.png --show stages.png boot.png
      cat boot.png | modiste predict --json -
    """
    from modiste import inference
    from modiste.cli.inputs import find_model, find_photos
    from modiste.errors import SettingError

    suffix = Path(out).suffix.lower() if out and not cluster else ""
    _require_consistent(out, as_json, as_csv, bom, cluster, cpus, suffix)
    drawings = {option: path for option, path in (("--heatmap", heatmap), ("--show", show)) if path}
    if out and (cluster or suffix == ".parquet"):
        if drawings:
            raise SettingError(f"{next(iter(drawings))} draws one photo. Leave it out, or --out.")
        counts = write_shards(files, out, model, top, cluster, cpus or 1)
        _exit(counts.rows, counts.failed)
    photos = find_photos(files)
    require_drawable(drawings, [name for name, _ in photos])
    threads = 0 if len(photos) == 1 else 1  # of a model; several photos are predicted on a thread each
    predictor = inference.load(find_model(model), threads)
    write_drawings(drawings, photos[0][1], predictor)
    if out:
        _exit(*write_rows(Path(out), files, photos, predictor, top, bom))
    predictions = predict_photos(photos, predictor, top)
    if as_csv:
        _exit(len(photos), _print_csv(predictions, top, bom))
    _exit(len(photos), _print_and_count_failures(predictions, len(photos), as_json, show_model=model is None))


def _require_consistent(
    out: str | None, as_json: bool, as_csv: bool, bom: bool, cluster: str | None, cpus: int | None, suffix: str
) -> None:
    """Raise a SettingError for options that exclude one another."""
    from modiste.errors import SettingError

    if sum(map(bool, (out, as_json, as_csv))) > 1:
        raise SettingError("--out writes a file; --json and --csv print. Leave all but one out.")
    if bom and not (as_csv or suffix == ".csv"):
        raise SettingError("--bom is for CSV. Add --csv, or an --out that ends in .csv, or leave --bom out.")
    if cluster and not out:
        raise SettingError("--cluster writes Parquet files. Add --out with a folder or s3:// prefix.")
    if cpus and not cluster:
        raise SettingError(
            "--cpus is for models on a cluster. Add --cluster ADDRESS, or leave it out: on this machine, photos are "
            "predicted on all cores."
        )


def _exit(rows: int, failed: int) -> NoReturn:
    """End with the exit code for so many photos that could not be used."""
    sys.exit(0 if not failed else 2 if failed == rows else 1)


def _print_csv(predictions: Iterable["Prediction"], top: int, bom: bool) -> int:
    """Print the predictions as CSV in UTF-8, each row as it is predicted; return how many photos could not be used."""
    from modiste.inference import prediction_csv

    failed = 0
    # as bytes, because the encoding of the terminal may lack characters
    click.echo((prediction_csv.BOM * bom + prediction_csv.format_header(top)).encode(), nl=False)
    for prediction in predictions:
        failed += prediction.error is not None
        click.echo(prediction_csv.format_row(prediction.as_dict(), top).encode("utf-8", "replace"), nl=False)
    return failed


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
            click.echo(line if n_photos == 1 else f"{printable(prediction.file)}: {line}")
    if as_json:
        print_json(records, indent=2)
    return failed


def _format_line(prediction: "Prediction") -> str:
    """Format the classes with their percentages; where the model abstained, the nearest classes, among all classes.

    Kinds of shoe that are close are one entry, with the sum of their probabilities.
    """
    is_abstained = prediction.label != prediction.top[0][0]
    close = dict(prediction.close_labels)
    listed = [(label, value) for label, value in prediction.top if label not in close]
    shown = [best for best in listed if not is_abstained or best[0] != prediction.label]
    if close:
        shown.insert(0, (_format_close_labels(list(close)), sum(close.values())))
    classes = ", ".join(f"{label} {100 * probability / prediction.total:.1f} %" for label, probability in shown)
    return f"{prediction.label}; nearest: {classes}" if is_abstained else classes


def _format_close_labels(labels: list[str]) -> str:
    """Join classes of a group: "shoe: sandal, sneaker or ankle boot"."""
    from modiste.labels import SHOES

    *first, last = labels
    text = f"{', '.join(first)} or {last}"
    return f"shoe: {text.lower()}" if {*labels} <= {*SHOES} else text
