"""`modiste bench`: train recipes with several seeds or folds."""

import shlex
import sys
from pathlib import Path

import click

from modiste.cli.options import check_name, experiment_options, resolve_recipe
from modiste.experiments.resources import Resources


@click.command()
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Train with seeds 0 to N-1.")
@click.option("--folds", is_flag=True, help="Hold out each fold in turn and evaluate on it, instead of on test.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe; needs --name.")
@click.option("--name", callback=check_name, help="Name of the results.  [default: RECIPE, or RECIPE-folds]")
@click.option("--keep", is_flag=True, help="Keep the weights of every run.")
@experiment_options
def bench(
    recipes: tuple[str, ...],
    seeds: int,
    folds: bool,
    sets: tuple[str, ...],
    name: str | None,
    keep: bool,
    resources: Resources,
    out: Path,
    as_json: bool,
) -> None:
    """Train each RECIPE with several seeds or folds, evaluate the runs, and write results/RECIPE.json.

    Several recipes are compared with one another.

    Each training runs in its own process. A training that fails is listed with its reason, and the others are run. A
    bench that was stopped resumes when the command is repeated, and trainings that failed are tried again.

    \b
    Examples:
      modiste bench sprint --seeds 5
      modiste bench classic-cnn classic-resnet18 --seeds 6
      modiste bench classic-cnn --folds --jobs 2
      modiste bench classic-cnn --seeds 20 --cluster auto --cpus 2
      modiste bench classic-cnn --set optimizer.lr=0.02 --name classic-cnn-lr
    """
    from modiste.cli.output import log
    from modiste.errors import SettingError
    from modiste.experiments import bench as experiment
    from modiste.runs import files

    if name and len(recipes) > 1:
        raise SettingError("--name is for one recipe. Leave it out, or bench one recipe at a time.")
    if sets and not name:
        raise SettingError("--set makes another recipe. Add a --name for its results.")
    files.make_folder((out / name).parent if name else out)  # before hours of training
    some_failed, paths = False, []
    for typed in recipes:
        recipe = resolve_recipe(typed, sets)
        title = name or f"{recipe.name}{'-folds' if folds else ''}"
        command = ["modiste", "bench", typed, *(["--folds"] if folds else ["--seeds", str(seeds)])]
        command += [part for setting in sets for part in ("--set", setting)] + (["--name", name] if name else [])
        trainings = experiment.vary_fold(recipe) if folds else experiment.vary_seed(recipe, seeds)
        split = "validation" if folds else "test"
        plan = experiment.Bench(trainings, split, Path("runs") / "bench" / title, resources, keep)
        records = experiment.run(plan, log)
        experiment.write(out / f"{title}.json", title, shlex.join(command), plan, records)
        paths.append(out / f"{title}.json")
        print_results(paths[-1], as_json)
        some_failed = some_failed or bool(records.failed)
    if len(paths) > 1 and not as_json:
        print_differences(paths)
    if some_failed:
        sys.exit(1)


def print_differences(paths: list[Path]) -> None:
    """Print a sentence on each pair of results files."""
    from modiste.reporting import comparison, statements

    for pair in comparison.compare(paths).pairs:
        click.echo(statements.describe_pair(pair))


def print_results(path: Path, as_json: bool) -> None:
    """Print a results file, as a sentence or as JSON."""
    from modiste.cli.output import print_json
    from modiste.reporting import statements
    from modiste.reporting.formatting import format_interval
    from modiste.runs import results

    content = results.read(path)
    if as_json:
        print_json(content)
        return
    unit = "folds" if content["split"] == "validation" else "seeds"
    interval = content["interval_images"]
    over_images = f"95 % interval over images {format_interval(interval)} %" if interval else "no interval over images"
    click.echo(
        f"{content['recipe']}: {content['split']} accuracy {content['mean']:.2%}, mean of {content['n']} {unit} "
        f"({over_images}), "
        f"loss {content['mean_loss']:.4f}; {path}"
    )
    click.echo(statements.describe_trainings([record["accuracy"] for record in content["runs"]], unit))
    for failed in content.get("failed", []):
        click.echo(f"Not in the mean: seed {failed['seed']}, fold {failed['fold']} failed. {failed['reason']}")
    if content["n"] == 2:
        click.echo("The interval over two trainings is usually too wide to be informative.")
    if len(content["precision"]) > 1:
        click.echo(f"The trainings differ in precision ({', '.join(content['precision'])}), so compare with care.")
    if content["split"] == "validation" and content["settings"]["early_stopping.patience"]:
        click.echo("The epoch of each training was chosen on the same images, so the accuracy is optimistic.")
