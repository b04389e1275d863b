"""`modiste demo`: train, evaluate, predict and report in one command."""

import itertools
from pathlib import Path
from typing import Any

import click

from modiste.cli.options import check_name

SUMMARY = """
test accuracy      {test_accuracy:.2%}  (95% confidence interval {interval_images[0]:.2%} to {interval_images[1]:.2%})
sample prediction  {prediction}  ({sample})
run                {run}
model              {model}
report             {report}
elapsed time       {seconds} s

Next: modiste predict PHOTO
It uses the bundled models. The model of {run} knows images like those of Fashion-MNIST only: --model {run}
"""


@click.command()
@click.option("--name", callback=check_name, help="Name of the run in the folder `runs`; default: demo, demo-2, ...")
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the report."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results and the paths of the files as JSON.")
def demo(name: str | None, lang: str, as_json: bool) -> None:
    """Train the recipe `sprint`, evaluate it, predict a sample image and write a report.

    \b
    Examples:
      modiste demo
      modiste demo --name first-try --lang zh
    """
    import time

    from modiste.cli.output import print_json

    started = time.perf_counter()
    summary = _run_demo(Path("runs") / name if name else _new_run_path(Path("runs")), lang)
    summary["seconds"] = round(time.perf_counter() - started, 1)
    print_json(summary) if as_json else click.echo(SUMMARY.format(**summary))


def _run_demo(path: Path, lang: str) -> dict[str, Any]:
    """Train, evaluate, predict and report; return the results and the paths of the files."""
    from modiste.training import run as training  # first, so that without torch the error names the extra `train`

    click.echo("1/4 training the recipe sprint on Fashion-MNIST; about 30 seconds on two CPU cores", err=True)
    from modiste.recipes import named
    from modiste.reporting.evaluate import evaluate
    from modiste.reporting.report.write import write_report
    from modiste.training.progress import TrainingProgress

    recipe = named.resolve("sprint")
    with TrainingProgress(recipe.schedule.epochs) as progress:
        run = training.start(recipe, path, progress)
    click.echo("2/4 evaluating on the 10,000 test images", err=True)
    scores = evaluate(run.path)
    click.echo("3/4 predicting a sample image", err=True)
    sample, prediction = _predict_sample(run.model)
    click.echo("4/4 writing the report", err=True)
    report = run.path / "report.html"
    write_report([run.path], report, lang)
    summary: dict[str, Any] = {"run": str(run.path), "model": str(run.model), "report": str(report)}
    summary |= {"sample": sample, "prediction": prediction}
    return summary | {"test_accuracy": scores.accuracy, "interval_images": scores.interval_images}


def _predict_sample(model: Path) -> tuple[str, str]:
    """Return the path of the sample image and its prediction."""
    import modiste
    from modiste import inference

    sample = str(Path(modiste.__file__).parent / "assets" / "samples" / "ankle-boot.png")
    (prediction,) = inference.load(model).predict([sample])
    return sample, f"{prediction.label} {prediction.probability:.1%}"


def _new_run_path(folder: Path) -> Path:
    """Return the first of demo, demo-2, demo-3 ... in the folder that does not exist."""
    names = itertools.chain(["demo"], (f"demo-{index}" for index in itertools.count(2)))
    return next(path for path in map(folder.joinpath, names) if not path.exists())
