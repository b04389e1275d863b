"""`modiste evaluate`: the scores of a run, a model or a file of probabilities."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modiste.cli.options import RUN_PATH
from modiste.reporting.formatting import (
    format_approximate,
    format_count,
    format_interval,
    format_percent,
    format_percent_number,
)

if TYPE_CHECKING:
    from modiste.metrics.scores import Scores


@click.command()
@click.argument("target", type=RUN_PATH, metavar="RUN_OR_MODEL")
@click.option(
    "--split", type=click.Choice(["test", "validation"]), default="test", show_default=True, help="Split to evaluate."
)
@click.option(
    "--data",
    metavar="D",
    help="Other data than the recipe's, as train takes it; then no scores are written, but the opening is counted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(target: Path, split: str, data: str | None, as_json: bool) -> None:
    """Evaluate a run folder, an .onnx model, the bundled fashion-mnist, or predictions of any tool (.npz, .npy, .csv).

    A run gets scores.json, probabilities.npz, confusion.png and its mistakes: mistakes.png shows the worst,
    mistakes.csv lists all with their files, and mistakes.html is a page to filter them and to correct labels, saved as
    a corrections.csv that the next training reads. Each opening of the test split is counted in scores.json. Validation
    is the fold that the run held out; where test has scores, its files are in the run's folder validation.

    A file of predictions has one row per image: of class folders sorted by folder name, then by file name, as in
    torchvision's ImageFolder; of other data in its order. Columns are probabilities in the order of the classes; a CSV
    header of class names, or the array class_names of an .npz, may state another. The array of an .npz is called
    probabilities. One column is the predicted label of each image. A CSV may number its rows in a first column.

    \b
    Examples:
      modiste evaluate runs/my-cnn
      modiste evaluate runs/my-cnn --split validation --json
      modiste evaluate probabilities.csv --data photos
      modiste evaluate fashion-mnist
    """
    from modiste.cli.output import print_json
    from modiste.reporting.evaluate import evaluate as evaluate_target
    from modiste.reporting.evaluate import files_of
    from modiste.runs.folder import Run

    scores = evaluate_target(target, split, data)
    if as_json:
        print_json(scores.as_dict())
        return
    click.echo(_format_scores(target, scores))
    run = Run(target if target.is_dir() else target.parent)
    if data is None and target in (run.path, run.model) and (page := files_of(run, split).mistakes_page).is_file():
        click.echo(f"all mistakes: {page}")


def _format_scores(target: Path, scores: "Scores") -> str:
    groups = "" if scores.n_groups is None else f" in {scores.n_groups:,} groups"
    interval = f"95 % interval over images {format_interval(scores.interval_images)} %"
    interval += format_approximate(scores.is_interval_approximate)
    if scores.interval_images is None:
        interval = "no interval over images"
    figures = f"accuracy {format_percent(scores.accuracy)} ({interval}), loss {scores.loss:.4f}"
    figures += f", calibration error {scores.ece:.4f}"
    if scores.ece_calibrated not in (None, scores.ece):
        figures += f" ({scores.ece_calibrated:.4f} after temperature scaling)"
    if scores.macro_f1 is not None and scores.brier is not None:
        figures += f", balanced accuracy {format_percent(scores.balanced_accuracy)}"
        figures += f", macro F1 {format_percent(scores.macro_f1)}, Brier score {scores.brier:.4f}"
    if scores.accuracy_flip_tta is not None:
        figures += f"\naccuracy with horizontal-flip TTA {format_percent(scores.accuracy_flip_tta)}"
    width = max(len(each.name) for each in scores.per_class)
    head = f"{'class':{width}}  precision  recall     F1  images"
    lines = [f"{target}, {scores.split}, {format_count(scores.n, 'image')}{groups}", figures, *scores.notes, "", head]
    for each in scores.per_class:
        precision, recall, f1 = map(format_percent_number, (each.precision, each.recall, each.f1))
        lines.append(f"{each.name:{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {each.support:>6}")
    pairs = [f"{pair.true} as {pair.predicted} {pair.count}" for pair in scores.most_confused[:5]]
    return "\n".join([*lines, "", f"most confused: {', '.join(pairs) or 'nothing'}"])
