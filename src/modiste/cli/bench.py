"""`modiste bench`: one recipe, several seeds or folds, a results file."""

from pathlib import Path

import click


@click.command()
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Train with seeds 0 to N-1.")
@click.option("--folds", is_flag=True, help="Hold out each fold in turn instead; judged on the fold, not on test.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe; may be repeated.")
@click.option("--name", help="Name of the results file; left out: the recipe's name.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Trainings at a time.")
@click.option("--keep", is_flag=True, help="Keep the weights of every run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def bench(
    recipes: tuple[str, ...],
    seeds: int,
    folds: bool,
    sets: tuple[str, ...],
    name: str | None,
    jobs: int,
    keep: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Train each RECIPE with several seeds (or folds), judge them, and write results/RECIPE.json.

    Each training is a process of its own and goes on where it stopped when the command is given again.

    \b
    Examples:
      modiste bench sprint --seeds 5
      modiste bench classic-cnn --folds --jobs 2
      modiste bench classic-cnn --set augmentation.crop=4 --set augmentation.erasing=0.5 --name classic-cnn-erasing
    """
    from modiste.errors import SettingError

    if name and len(recipes) > 1:
        raise SettingError("--name is for one recipe; leave it out, or bench one recipe at a time.")
    changes = [part for setting in sets for part in ("--set", setting)]
    for recipe in recipes:
        title = name or f"{Path(recipe).stem if recipe.endswith('.json') else recipe}{'-folds' if folds else ''}"
        kind = ["--folds"] if folds else ["--seeds", str(seeds)]
        command = " ".join(["modiste bench", recipe, *kind, *changes, *(["--name", name] if name else [])])
        _bench(recipe, title, 0 if folds else seeds, sets, jobs, keep, out / f"{title}.json", command)
        _show(out / f"{title}.json", as_json)


def _bench(
    recipe: str, title: str, seeds: int, sets: tuple[str, ...], jobs: int, keep: bool, path: Path, command: str
) -> None:
    from modiste.recipes import named, settings
    from modiste.scale import bench as scale

    made = settings.with_settings(named.resolve(recipe), dict(map(settings.parse_setting, sets)))
    trainings = scale.over_seeds(made, seeds) if seeds else scale.over_folds(made)
    plan = scale.Bench(trainings, "test" if seeds else "validation", Path("runs") / "bench" / title, jobs, keep)
    records = scale.run(plan, lambda line: click.echo(line, err=True))
    scale.write(path, title, command, plan, records)


def _show(path: Path, as_json: bool) -> None:
    import json

    from modiste.runs import results

    found = results.read(path)
    if as_json:
        click.echo(json.dumps(found))
        return
    low, high = found["interval_images"]
    click.echo(
        f"{found['recipe']}: {found['split']} accuracy {found['mean']:.2%} (mean of {found['n']}; images "
        f"{low:.2%} to {high:.2%}), loss {found['mean_loss']:.4f}; {path}"
    )
