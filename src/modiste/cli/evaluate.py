"""`modiste evaluate`: what a run, a model or a file of probabilities is worth."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from modiste.metrics.scores import Scores


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="RUN_OR_MODEL")
@click.option("--split", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option(
    "--data",
    metavar="D",
    help="Folder with other data than the recipe's; no scores are written then, but the opening is counted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(target: Path, split: str, data: str | None, as_json: bool) -> None:
    """Judge a run folder, an .onnx model, the bundled fashion-mnist, or probabilities of any tool (.npz or .csv).

    A run gets scores.json, probabilities.npz, confusion.png and mistakes.png; each opening of the test split is counted
    there. Validation is the fold that the run held out.

    \b
    Examples:
      modiste evaluate runs/my-cnn
      modiste evaluate runs/my-cnn --split validation --json
      modiste evaluate their-probabilities.csv
      modiste evaluate fashion-mnist
    """
    from modiste.cli.output import print_json
    from modiste.reporting.evaluate import evaluate as judge

    scores = judge(target, split, data)
    print_json(scores.as_dict()) if as_json else click.echo(_told(target, scores))


def _told(target: Path, scores: "Scores") -> str:
    from modiste.reporting import formatting

    low, high = scores.interval_images
    width = max(len(label.name) for label in scores.per_class)
    head = f"{'label':{width}}  precision  recall     F1  images"
    sure = f"accuracy {scores.accuracy:.2%} (95 % interval over images {low:.2%} to {high:.2%})"
    figures = f"{sure}, loss {scores.loss:.4f}, calibration error {scores.ece:.4f}"
    if scores.ece_calibrated not in (None, scores.ece):
        figures += f", after the model's temperature {scores.ece_calibrated:.4f}"
    if scores.accuracy_flip_tta is not None:
        figures += f"\nwith the mirror image of each as a second view {scores.accuracy_flip_tta:.2%}"
    lines = [f"{target}, {scores.split}, {scores.n:,} images", figures, "", head]
    for label in scores.per_class:
        precision, recall, f1 = map(formatting.format_percent_number, (label.precision, label.recall, label.f1))
        row = f"{precision:>9}  {recall:>6}  {f1:>5}  {label.support:>6}"
        lines.append(f"{label.name:{width}}  {row}")
    pairs = [f"{pair.true} for {pair.predicted} {pair.count}" for pair in scores.most_confused[:5]]
    return "\n".join([*lines, "", f"most confused: {', '.join(pairs) or 'nothing'}"])
