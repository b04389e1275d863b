"""`modiste demo`: the main job in one go."""

from pathlib import Path
from typing import Any

import click

SUMMARY = """
test accuracy  {test_accuracy:.2%}  (95 % interval {interval_images[0]:.2%} to {interval_images[1]:.2%})
a sample       {sample}: {prediction}
the run        {run}
the model      {model}
the report     {report}
took           {seconds} s

Next: modiste predict --model {run} PICTURE
"""


@click.command()
@click.option("--name", help="Name of the run below the folder `runs`; left out: demo, demo-2, ...")
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the report."
)
@click.option("--json", "as_json", is_flag=True, help="Print where everything is as JSON.")
def demo(name: str | None, lang: str, as_json: bool) -> None:
    """Train the recipe `sprint`, judge it, predict a sample, write the report; says where everything is.

    \b
    Examples:
      modiste demo
      modiste demo --name first-try --lang zh
    """
    import time

    from modiste.cli.output import print_json

    started = time.perf_counter()
    found = _found(Path("runs") / name if name else _free(Path("runs")), lang)
    found["seconds"] = round(time.perf_counter() - started, 1)
    print_json(found) if as_json else click.echo(SUMMARY.format(**found))


def _found(path: Path, lang: str) -> dict[str, Any]:
    """Do the four parts; return what came of them and where it is."""
    from modiste.cli.progress import TrainingProgress
    from modiste.recipes import named
    from modiste.reporting.evaluate import evaluate
    from modiste.reporting.html_report import page
    from modiste.training import run as training

    _say("1/4 training the recipe sprint on Fashion-MNIST; about half a minute on two cores")
    with TrainingProgress() as progress:
        run = training.start(named.resolve("sprint"), path, progress)
    _say("2/4 judging it on the 10,000 test images")
    scores = evaluate(run.path)
    _say("3/4 predicting a sample")
    sample = _sample()
    prediction = _predict(run.model, sample)
    _say("4/4 writing the report")
    report = run.path / "report.html"
    page.write([run.path], report, lang)
    return {
        "run": str(run.path),
        "model": str(run.model),
        "report": str(report),
        "test_accuracy": scores.accuracy,
        "interval_images": scores.interval_images,
        "sample": str(sample),
        "prediction": prediction,
    }


def _predict(model: Path, sample: Path) -> str:
    from modiste import inference

    (prediction,) = inference.load(model).predict([sample])
    return f"{prediction.label} {prediction.probability:.1%}"


def _sample() -> Path:
    import modiste

    return Path(modiste.__file__).parent / "assets" / "samples" / "ankle-boot.png"


def _free(folder: Path) -> Path:
    """Return the first of demo, demo-2, demo-3 ... that is not there yet."""
    number = 1
    while (path := folder / ("demo" if number == 1 else f"demo-{number}")).exists():
        number += 1
    return path


def _say(line: str) -> None:
    click.echo(line, err=True)
