"""`modiste bench`: one recipe, several seeds or folds, a results file."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Train with seeds 0 to N-1.")
@click.option("--folds", is_flag=True, help="Hold out each fold in turn instead; judged on the fold, not on test.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe; needs --name.")
@click.option("--name", help="Name of the results file; left out: the recipe's name, with -folds for --folds.")
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
      modiste bench classic-cnn --set augmentation.random_crop_padding=4 --set augmentation.random_erasing_prob=0.5 --name classic-cnn-erasing
    """
    import shlex

    from modiste.errors import SettingError
    from modiste.experiments import bench as scale
    from modiste.recipes import named, settings
    from modiste.runs import files

    if name and len(recipes) > 1:
        raise SettingError("--name is for one recipe; leave it out, or bench one recipe at a time.")
    if sets and not name:
        raise SettingError("With --set it is another recipe: give it a --name of its own.")
    files.make_folder(out)  # before hours of training
    changes = dict(map(settings.parse_setting, sets))
    for recipe in recipes:
        made = settings.with_absolute_paths(settings.with_settings(named.resolve(recipe), changes))
        title = name or f"{made.name}{'-folds' if folds else ''}"
        typed = ["modiste", "bench", recipe, *(["--folds"] if folds else ["--seeds", str(seeds)])]
        typed += [part for setting in sets for part in ("--set", setting)] + (["--name", name] if name else [])
        trainings = scale.over_folds(made) if folds else scale.over_seeds(made, seeds)
        split = "validation" if folds else "test"
        plan = scale.Bench(trainings, split, Path("runs") / "bench" / title, jobs, keep)
        records = scale.run(plan, lambda line: click.echo(line, err=True))
        scale.write(out / f"{title}.json", title, shlex.join(typed), plan, records)
        _show(out / f"{title}.json", as_json)


def _show(path: Path, as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.runs import results

    found = results.read(path)
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{found['recipe']}: {found['split']} accuracy {found['mean']:.2%}, mean of {found['n']} "
        f"({_span(found['interval_images'])} over images, {_span(found['interval_seeds'])} over trainings), "
        f"loss {found['mean_loss']:.4f}; {path}"
    )


def _span(interval: Any) -> str:
    return f"{interval[0]:.2%} to {interval[1]:.2%}" if interval else "unknown"
