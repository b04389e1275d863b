"""`modiste train`: a recipe becomes a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from modiste.recipes.recipe import Recipe


@click.command()
@click.argument("recipe", required=False)
@click.option("--data", help="Folder with IDX files or class folders; left out: the bundled Fashion-MNIST.")
@click.option("--name", help="Name of the run below the folder `runs`, or a path; left out: RECIPE-SEED.")
@click.option("--seed", type=int, help="Start of all randomness.")
@click.option("--epochs", type=int, help="At most so many epochs.")
@click.option("--fold", type=int, help="Which fold is held out for validation.")
@click.option("--device", help="cpu, cuda, cuda:1; left out: CUDA when there is one.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe; may be repeated.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run where it stopped.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events as well, into the run's folder `events`.")
@click.option(
    "--list", "listing", is_flag=True, help="Show the recipes, what each costs and reaches; with RECIPE, its settings."
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
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
    listing: bool,
    as_json: bool,
) -> None:
    """Train RECIPE, a name or a recipe.json, into a new run folder; or go on with one.

    Ctrl-C stops after the step at hand; the run can then be resumed and comes to the same bits.

    \b
    Examples:
      modiste train --list
      modiste train classic-cnn --list
      modiste train classic-cnn --name my-cnn
      modiste train sprint --seed 1 --set model.width=32
      modiste train --resume runs/my-cnn
      modiste train marathon-teacher --fold 1 --name teachers/fold-1
    """
    from modiste.errors import SettingError

    flags = {
        "data.source": data,
        "seed": seed,
        "schedule.epochs": epochs,
        "data.fold": fold,
        "compute.device": device,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    if listing:
        _list(recipe, given, sets, as_json)
    elif resume is not None:
        if recipe or given or sets or name or tensorboard:
            raise SettingError("--resume takes its recipe from the run; leave out every other setting.")
        _resume(resume, as_json)
    elif recipe is None:
        raise SettingError("Which recipe? Name one: modiste train sprint. All are shown by modiste train --list.")
    else:
        _start(recipe, name, given, sets, tensorboard, as_json)


def _start(
    recipe: str, name: str | None, given: Mapping[str, object], sets: tuple[str, ...], tensorboard: bool, as_json: bool
) -> None:
    from modiste.recipes import settings

    made = settings.with_absolute_paths(_made(recipe, given, sets))
    path = Path("runs") / (name or f"{made.name}-{made.seed}")

    from modiste.cli.progress import TrainingProgress
    from modiste.training import run as training

    with TrainingProgress() as progress:
        done = training.start(made, path, progress, tensorboard)
    _tell(done.path, as_json)


def _made(recipe: str, given: Mapping[str, object], sets: tuple[str, ...]) -> "Recipe":
    """The recipe of that name, with what was given otherwise."""
    from modiste.recipes import named, settings

    return settings.with_settings(named.resolve(recipe), {**given, **dict(map(settings.parse_setting, sets))})


def _resume(path: Path, as_json: bool) -> None:
    from modiste.cli.progress import TrainingProgress
    from modiste.training import run as training

    with TrainingProgress() as progress:
        done = training.resume(path, progress)
    _tell(done.path, as_json)


def _tell(path: Path, as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.runs import folder, metrics_file

    run = folder.open_run(path)
    rows = metrics_file.read(run.metrics)
    kept = rows[metrics_file.best_epoch(rows, run.recipe().early_stopping) - 1]
    reached = kept.val_accuracy
    if as_json:
        told = {"run": str(path), "epochs": len(rows), "best_epoch": kept.epoch, "val_accuracy": reached}
        print_json(told)
        return
    held_out = f", validation accuracy {reached:.2%}" if reached is not None else ""
    click.echo(f"{path}: {len(rows)} epoch{'s' * (len(rows) != 1)}, epoch {kept.epoch} is kept{held_out}")
    if run.recipe().data.source and reached is None:
        click.echo("Nothing was held out: to judge such runs, add a folder test/ or --set data.val_fraction=0.2.")
    else:
        click.echo(f"Judge it with: modiste evaluate {path}")


def _list(recipe: str | None, given: Mapping[str, object], sets: tuple[str, ...], as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.errors import SettingError
    from modiste.recipes import named, settings
    from modiste.runs import results

    if recipe:
        made = _made(recipe, given, sets)
        if as_json:
            print_json(settings.to_settings(made), indent=2)
        else:
            for key, value, line in settings.describe(made):
                click.echo(f"{key}={value}\n    {line}")
        return
    if given or sets:
        raise SettingError("Settings are those of a recipe. Name it: modiste train sprint --list --epochs 3.")
    measured = results.read_published()
    listed = [
        _listed(name, (make.__doc__ or "").partition("\n")[0], measured.get(name)) for name, make in named.NAMED.items()
    ]
    if as_json:
        print_json(listed, indent=2)
        return
    for entry in listed:
        click.echo(f"{entry['recipe']:18} {entry['description']}")
        if entry["n"]:
            taught = " with its teachers" if entry["taught"] else ""
            click.echo(
                f"{'':18} test accuracy {entry['mean']:.2%} (mean of {entry['n']} seeds), "
                f"{entry['seconds'] / 60:.1f} minutes{taught} on {entry['hardware']}"
            )


def _listed(name: str, about: str, found: dict[str, Any] | None) -> dict[str, Any]:
    """What a recipe is, and what it costs and reaches where that is published."""
    from statistics import fmean

    from modiste.runs import results

    if not found:
        return {"recipe": name, "description": about, "n": 0}
    seconds = fmean(map(results.total_seconds, found["runs"]))
    kept = {key: found[key] for key in ("n", "mean", "hardware")}
    taught = any(run.get("teachers") for run in found["runs"])
    return {"recipe": name, "description": about, "seconds": seconds, "taught": taught} | kept
