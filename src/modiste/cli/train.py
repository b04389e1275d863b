"""`modiste train`: train a recipe into a run folder, or resume a run."""

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modiste.cli.options import DATA_HELP, RUN_PATH, check_name, set_option

if TYPE_CHECKING:
    from modiste.recipes.recipe import Recipe
    from modiste.runs.folder import Run
    from modiste.training.loggers import LoggerName


RESUMABLE_SETTINGS = {"data.source", "schedule.epochs"}
"""That may be given with --resume."""


@click.command()
@click.argument("recipe", required=False)
@click.option("--data", help=DATA_HELP)
@click.option("--name", callback=check_name, help="Name in `runs`, or an absolute path.  [default: RECIPE-SEED]")
@click.option("--seed", type=int, help="Seed of all randomness.")
@click.option("--epochs", type=int, help="Maximum number of epochs.")
@click.option("--fold", type=int, help="Index of the fold that is held out for validation.")
@click.option("--device", help="cpu, cuda or cuda:1.  [default: CUDA where there is a GPU]")
@set_option
@click.option(
    "--resume",
    type=RUN_PATH,
    metavar="RUN",
    help="Resume a run; --data names data that was moved. A finished run is trained on, as a new one, with --epochs.",
)
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events to the folder `events` of the run.")
@click.option("--mlflow", is_flag=True, help="Log to MLflow's database mlflow.db in the current folder.")
@click.option(
    "--list", "list_only", is_flag=True, help="List recipes, costs and accuracies; with RECIPE, its settings."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def train(
    recipe: str | None,
    data: str | None,
    name: str | None,
    seed: int | None,
    epochs: int | None,
    fold: int | None,
    device: str | None,
    sets: tuple[str, ...],
    resume: Path | None,
    tensorboard: bool,
    mlflow: bool,
    list_only: bool,
    as_json: bool,
) -> None:
    """Train RECIPE, a name or a recipe.json, into a new run folder; or resume a run.

    Ctrl-C stops after the current step. A run that is resumed ends with bit-identical weights.

    With torchrun, several processes train on slices of each batch, one on each GPU, or on CPU cores of their own.

    With --resume RUN --epochs N a finished run is trained on to N epochs as a new run, RUN-N-epochs or --name; RUN
    is not changed. The learning rate is then that of the schedule of N epochs, so it may rise again.

    \b
    Examples:
      modiste train --list
      modiste train classic-cnn --list
      modiste train classic-cnn --name my-cnn
      modiste train sprint --seed 1 --set model.width=32
      modiste train --resume runs/my-cnn
      modiste train --resume runs/my-cnn --epochs 80
      modiste train marathon-teacher --fold 1 --name teachers/fold-1
      torchrun --nproc-per-node 2 -m modiste train classic-cnn --name my-cnn
    """
    from modiste.errors import SettingError

    values = {"data.source": data, "seed": seed, "schedule.epochs": epochs, "data.fold": fold, "compute.device": device}
    changes = {key: value for key, value in values.items() if value is not None}
    if list_only and recipe:
        _list_settings(_resolve(recipe, changes, sets), as_json)
    elif list_only:
        if changes or sets:
            raise SettingError("Settings are listed for a recipe. Name one: modiste train sprint --list --epochs 3.")
        _list_recipes(as_json)
    elif resume is not None:
        options = {"RECIPE": recipe, "--set": sets, "--tensorboard": tensorboard, "--mlflow": mlflow}
        others = [option for option, value in options.items() if value]
        others += [f"--{key.rpartition('.')[2]}" for key in changes if key not in RESUMABLE_SETTINGS]
        _require_resumable(name, epochs, others)
        _resume(resume, epochs, name, data or "", as_json)
    elif recipe is None:
        raise SettingError("No recipe is named. Try modiste train sprint; modiste train --list shows all.")
    else:
        loggers: dict[LoggerName, bool] = {"tensorboard": tensorboard, "mlflow": mlflow}
        _start(_resolve(recipe, changes, sets), name, [each for each in loggers if loggers[each]], as_json)


def _require_resumable(name: str | None, epochs: int | None, others: Sequence[str]) -> None:
    """Raise a SettingError for options that a resumed run does not take."""
    from modiste.errors import SettingError

    if others:
        raise SettingError(
            f"--resume takes its recipe and its loggers from the run. Leave out {', '.join(others)}: only --data is "
            "accepted, and --epochs with --name to train a finished run on."
        )
    if name and epochs is None:
        raise SettingError("A run is resumed under its own name. Leave out --name, or give --epochs to train it on.")


def _resolve(recipe: str, changes: Mapping[str, object], sets: tuple[str, ...]) -> "Recipe":
    """Return the recipe of that name with the settings of the command line."""
    from modiste.recipes import named, settings

    return settings.with_settings(named.resolve(recipe), {**changes, **dict(map(settings.parse_setting, sets))})


def _start(recipe: "Recipe", name: str | None, loggers: "list[LoggerName]", as_json: bool) -> None:
    from modiste import api

    _print_result(api.train(recipe, name=name, loggers=loggers), as_json)


def _resume(path: Path, epochs: int | None, name: str | None, data: str, as_json: bool) -> None:
    """Resume a run, or train a finished one on to this number of epochs."""
    from modiste.runs import folder
    from modiste.training import run as training
    from modiste.training.progress import TrainingProgress

    old = folder.open_run(path)
    with TrainingProgress(old.recipe().schedule.epochs if epochs is None else epochs) as progress:
        if epochs is None:
            run = training.resume(path, progress, data)
        else:
            new = folder.named_path(name) if name else old.path.with_name(training.extended_name(old.name, epochs))
            run = training.extend(path, epochs, new, progress, data)
    _print_result(run, as_json)


def _print_result(run: "Run", as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.runs import metrics_file

    if os.environ.get("RANK", "0") != "0":  # of several processes that torchrun started, the first one prints
        return
    rows, early_stopping = metrics_file.read(run.metrics), run.recipe().early_stopping
    best = rows[metrics_file.best_epoch(rows, early_stopping) - 1]
    if as_json:
        result = {"run": str(run.path), "epochs": len(rows), "epoch_chosen_on_validation": early_stopping.patience > 0}
        print_json({**result, "best_epoch": best.epoch, "val_accuracy": best.val_accuracy})
        return
    line = f"{run.path}: {len(rows)} epoch{'s' * (len(rows) != 1)}, weights of epoch {best.epoch}"
    if best.val_accuracy is not None:
        chosen = f" (the epoch was chosen by its {early_stopping.monitor})" if early_stopping.patience else ""
        line += f", validation accuracy {best.val_accuracy:.2%}{chosen}"
    click.echo(f"{line}\n{_next_step(run, best.val_accuracy is not None)}")


def _next_step(run: "Run", has_validation: bool) -> str:
    """Return how to measure the accuracy of a run, on the splits that its data has."""
    from modiste.data import sources

    if sources.open_source(run.recipe().data).has_split("test"):
        return f"Evaluate it: modiste evaluate {run.path}"
    if has_validation:
        return f"Evaluate it: modiste evaluate {run.path} --split validation"
    return (
        "There are no validation or test images to evaluate it on. To hold some out: "
        f"modiste train {run.recipe_file} --set data.val_fraction=0.2 --name NEW"
    )


def _list_settings(recipe: "Recipe", as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.recipes import settings

    if as_json:
        print_json(settings.to_settings(recipe), indent=2)
        return
    for key, value, explanation in settings.describe(recipe):
        click.echo(f"{key}={settings.format_value(value)}\n    {explanation}")


def _list_recipes(as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.recipes import named
    from modiste.runs import results

    published = results.read_published()
    summaries = [
        {"recipe": name, "description": " ".join((inspect.getdoc(make) or "").split()), **_cost(published.get(name))}
        for name, make in named.NAMED.items()
    ]
    if as_json:
        print_json(summaries, indent=2)
        return
    for summary in summaries:
        click.echo(f"{summary['recipe']:18} {summary['description']}")
        if summary["n"]:
            teachers = " with its teachers" if summary["teachers"] else ""
            click.echo(
                f"{'':18} published: test accuracy {summary['mean']:.2%} (n = {summary['n']}), "
                f"{summary['seconds'] / 60:.1f} minutes{teachers} on {summary['hardware']}"
            )


def _cost(content: dict[str, Any] | None) -> dict[str, Any]:
    """Return time and accuracy of a recipe from its published results file; without one only `n`, which is 0."""
    from modiste.runs import results

    if not content:
        return {"n": 0}
    runs = content["runs"]
    seconds, teachers = sum(map(results.total_seconds, runs)) / len(runs), any(run.get("teachers") for run in runs)
    return {key: content[key] for key in ("n", "mean", "hardware")} | {"seconds": seconds, "teachers": teachers}
