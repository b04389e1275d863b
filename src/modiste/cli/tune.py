"""`modiste tune`: search the settings of a recipe."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modiste.cli.options import check_name, experiment_options, resolve_recipe, set_option
from modiste.experiments.resources import Resources

if TYPE_CHECKING:
    from modiste.experiments.tune import Tuning


@click.command()
@click.argument("recipe")
@click.option("--trials", type=click.IntRange(1), help="Number of trials.  [default: 30, without --minutes]")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="No trial starts after this time.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs of a trial.  [default: those of the recipe]")
@click.option(
    "--range", "ranges", multiple=True, metavar="KEY=LOW..HIGH|KEY=A,B,C",
    help="A setting to tune and its values, instead of the usual ones; can be repeated.",
)  # fmt: skip
@set_option
@click.option(
    "--gain-folds", type=click.IntRange(1), default=4, show_default=True,
    help="Maximum number of other folds to measure the gain on.",
)  # fmt: skip
@click.option("--name", callback=check_name, help="Name of the results.  [default: RECIPE-tuned]")
@experiment_options
def tune(
    recipe: str,
    trials: int | None,
    minutes: float | None,
    epochs: int | None,
    ranges: tuple[str, ...],
    sets: tuple[str, ...],
    gain_folds: int,
    name: str | None,
    resources: Resources,
    out: Path,
    as_json: bool,
) -> None:
    """Search the settings of RECIPE with Optuna, and measure what the best ones gain.

    Choices are made on one validation fold; trials that are not promising are stopped early. The best recipe and RECIPE
    are then trained in full on the other folds, which gives the gain. Writes NAME.json, the figure NAME.png and
    runs/tune/NAME/recipe.json. A search that was stopped resumes when the command is repeated, trials that failed are
    tried again, and with more trials or minutes it continues.

    \b
    Examples:
      modiste tune classic-cnn --trials 30 --epochs 3
      modiste tune sprint --minutes 60 --range optimizer.lr=0.03..0.3 --range optimizer.batch_size=160,320
      modiste train runs/tune/sprint-tuned/recipe.json
    """
    from modiste.experiments import search_space
    from modiste.experiments import tune as experiment

    base = resolve_recipe(recipe, sets)
    space = search_space.parse_ranges(base, ranges) if ranges else search_space.default_space(base)
    title = name or f"{base.name}-tuned"
    folder = Path("runs") / "tune" / title
    max_trials = trials if trials or minutes else experiment.DEFAULT_TRIALS
    tuning = experiment.Tuning(
        base, space, folder, max_trials, minutes and 60 * minutes, epochs or 0, gain_folds, resources
    )
    experiment.require_possible(tuning)
    _run(tuning, title, out / f"{title}.json", as_json)


def _run(tuning: "Tuning", title: str, path: Path, as_json: bool) -> None:
    """Search, write the results file and the figure, and print the results."""
    from modiste.cli.output import log, print_json, typed_command
    from modiste.experiments import tune as experiment
    from modiste.reporting import canvas
    from modiste.reporting.tuning_figure import plot_tuning
    from modiste.runs import files, results

    files.make_folder(path.parent)  # before hours of training
    result = experiment.run(tuning, log)
    experiment.write(path, title, typed_command(), tuning, result)
    content, figure, base_name = results.read(path), path.with_suffix(".png"), tuning.recipe.name
    canvas.save(plot_tuning(result.trials, result.importances, base_name), figure)
    if as_json:
        print_json(content)
    else:
        _print(content, base_name)
        click.echo(f"{tuning.folder / 'recipe.json'}, {path}, {figure}")
    if "failed" in content:
        sys.exit(1)


def _print(content: dict[str, Any], recipe: str) -> None:
    from modiste.recipes import settings
    from modiste.reporting.formatting import format_count

    states = [trial["state"] for trial in content["trials"]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed"))
    click.echo(f"{format_count(len(states), 'trial')}: {counts}")
    for trial in content["trials"]:
        if "reason" in trial:
            click.echo(f"trial {trial['trial']} failed. {trial['reason']}")
    best = next(trial for trial in content["trials"] if trial["trial"] == content["best"])
    if content["tuned"] == content["base"]:
        click.echo(f"No trial was better than trial {best['trial']}, which has the values of {recipe}.")
        return
    click.echo(f"Trial {best['trial']} is the best on fold {content['fold']}: {best['val_accuracy']:.2%}, with")
    for key, value in best["settings"].items():
        before = settings.get_value(content["base"], key)
        text = "not set" if before is None else settings.format_value(before)
        click.echo(f"  {key}={settings.format_value(value)}  (before: {text})")
    for failed in content.get("failed", []):
        click.echo(f"The training on fold {failed['fold']} failed. {failed['reason']}")
    if content["gain"]:
        click.echo(_describe_gain(content["gain"]))
        if content["tuned"]["early_stopping.patience"]:
            click.echo("The epoch of each training was chosen on the same images, so both accuracies are optimistic.")


def _describe_gain(gain: dict[str, Any]) -> str:
    from modiste.reporting.formatting import format_count, format_interval

    interval, folds = gain["difference_interval"], format_count(len(gain["folds"]), "other fold")
    line = f"Gain on {folds}: {100 * gain['difference']:+.2f} points ({gain['unchanged']:.2%} to {gain['tuned']:.2%}"
    if interval is None:
        reason = "one fold gives no interval" if len(gain["folds"]) == 1 else "equal gains give no interval"
        return f"{line}); {reason}."
    if interval[0] <= 0 <= interval[1]:
        line += f", 95 % interval {format_interval(interval)}); not distinguishable from 0."
    else:
        line += f", 95 % interval {format_interval(interval)})."
    return f"{line} The folds share training images, so the interval is approximate."
