"""The files of `modiste predict --out`: rows of CSV or JSON Lines, or shards of Parquet, here or on a cluster."""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modiste.inference.prediction import printable

if TYPE_CHECKING:
    from modiste.imaging.preprocess import NamedPhoto
    from modiste.inference.model import Predictor
    from modiste.inference.prediction import Prediction
    from modiste.inference.predictions_file import PredictionsFile
    from modiste.inference.shards import Counts, Plan
    from modiste.runs.storage import Storage

ROWS_PER_WRITE = 100
"""A killed command loses the predictions of at most as many photos."""


def write_shards(
    files: tuple[str, ...], out: str, model: str | None, top: int, cluster: str | None, cpus: int
) -> "Counts":
    """Predict photos into Parquet, here or on a cluster, print errors and a summary; raises Stopped on Ctrl-C."""
    import signal

    from modiste import inference
    from modiste.cli.inputs import cut_shards, find_model
    from modiste.errors import Stopped
    from modiste.inference import predictions_parquet, shards
    from modiste.inference.shards import Plan
    from modiste.runs.storage import Storage, is_url

    predictor = inference.load(find_model(model), 1)
    plan = Plan(cut_shards(files, is_local=cluster is None), predictor.sha256, top)
    path = out if is_url(out) else str(Path(out).absolute())
    output = Storage(path) if cluster else predictions_parquet.shards_of(Path(out))
    try:
        if cluster:
            old_rows, counts = _predict_on_cluster(files, plan, output, predictor, cluster, cpus)
        else:
            old_rows, counts = _predict_to_file(Path(out), plan, predictor)
    except KeyboardInterrupt:
        rows = _format_count(plan.count(shards.finished_shards(output, plan)))
        raise Stopped(signal.SIGINT, f"Stopped. {output.url} has {rows}; the same command resumes.") from None
    outputs = [output.path(shards.shard_name(index)) for index in range(len(plan.shards))] if cluster else [out]
    for error in (error for path in outputs if counts.failed for error in shards.read_errors(path)):
        click.echo(f"modiste: {error}", err=True)
    before = f", {old_rows} of them from before" if old_rows else ""
    failed = f"; {counts.failed} could not be used" if counts.failed else ""
    click.echo(f"{printable(out)}: {_format_count(counts.rows)}{before}{failed}")
    return counts


def _predict_to_file(path: Path, plan: "Plan", predictor: "Predictor") -> tuple[int, "Counts"]:
    """Predict what a Parquet file and its shards lack; return how many rows they had, and the counts of the file."""
    from modiste.inference import predictions_parquet
    from modiste.runs.environment import usable_cores

    missing = predictions_parquet.missing_shards(path, plan)
    _advance(plan, missing, predictions_parquet.predict_to_file(path, plan, missing, predictor, usable_cores()))
    counts = predictions_parquet.count_rows(path)
    return counts.rows - plan.count(missing), counts


def _predict_on_cluster(
    files: tuple[str, ...], plan: "Plan", output: "Storage", predictor: "Predictor", cluster: str, cpus: int
) -> tuple[int, "Counts"]:
    """Predict the shards that the output lacks; return how many rows it had, and the counts of all shards."""
    from modiste.experiments.cluster import photos  # imports Ray, which takes seconds
    from modiste.inference import shards
    from modiste.runs.storage import is_url

    inputs = [file if is_url(file) else str(Path(file).absolute()) for file in files]
    with photos.open_cluster(cluster, output, inputs, cpus) as actors:
        missing = shards.missing_shards(output, plan)
        _advance(plan, missing, photos.predict(plan, missing, output, predictor, actors, cpus))
    counts = shards.read_counts(output, plan)
    return counts.rows - plan.count(missing), counts


def _advance(plan: "Plan", missing: list[int], sizes: Iterable[int]) -> None:
    """Show the progress of the missing shards, by the number of their photos."""
    from modiste.training.progress import progress_bar

    with progress_bar(plan.count(missing)) as advance:
        for size in sizes:
            advance(size)


def predict_photos(photos: "list[NamedPhoto]", predictor: "Predictor", top: int) -> Generator["Prediction"]:
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
        yield replace(prediction, file=name)


def write_rows(
    out: Path, files: tuple[str, ...], photos: "list[NamedPhoto]", predictor: "Predictor", top: int, bom: bool
) -> tuple[int, int]:
    """Write the rows that --out lacks and print a summary; return the number of all rows and of failed ones."""
    from modiste.inference.predictions_file import open_predictions

    by_name = dict(photos)
    with open_predictions(out, predictor.sha256, top, list(by_name), files, bom) as file:
        old_rows = file.rows
        _append_predictions(file, predict_photos([(name, by_name[name]) for name in file.missing], predictor, top))
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


def _format_count(photos: int) -> str:
    return f"{photos} photo{'s' * (photos != 1)}"
