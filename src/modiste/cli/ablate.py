"""`modiste ablate`: what each trick of a recipe is worth."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modiste.cli.options import check_name, experiment_options, resolve_recipe
from modiste.experiments.resources import Resources

if TYPE_CHECKING:
    from modiste.experiments.ablation import Ablation
    from modiste.experiments.tricks import Row
    from modiste.recipes.recipe import Recipe


@click.command()
@click.argument("recipe")
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Train each row with seeds 0 to N-1."
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe, in all rows.")
@click.option(
    "--row", "typed_rows", multiple=True, metavar="[NAME=]KEY=VALUE",
    help="One more row, with this setting changed; the same NAME again changes one more setting of the row.",
)  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="ROW", help="Of the rows that --list prints, only this; can be repeated."
)
@click.option(
    "--split", type=click.Choice(["validation", "test"]), default="validation", show_default=True,
    help="Images to evaluate on: validation to make choices, test to publish.",
)  # fmt: skip
@click.option("--name", callback=check_name, help="Name of the results.  [default: RECIPE-ablation]")
@click.option("--list", "list_only", is_flag=True, help="List the rows and train nothing.")
@experiment_options
def ablate(
    recipe: str,
    seeds: int,
    sets: tuple[str, ...],
    typed_rows: tuple[str, ...],
    only: tuple[str, ...],
    split: str,
    name: str | None,
    list_only: bool,
    resources: Resources,
    out: Path,
    as_json: bool,
) -> None:
    """Train RECIPE with each of its tricks taken out, or in, alone, and compare with the unchanged recipe.

    All rows have the same seeds and images, so the differences are paired. Writes NAME.json and the chart NAME.png. A
    training that fails is a row with its reason. An ablation that was stopped resumes when the command is repeated, and
    trainings that failed are tried again.

    \b
    Examples:
      modiste ablate classic-cnn --list
      modiste ablate classic-cnn --seeds 6 --set schedule.epochs=8 --set data.max_train_images=24000
      modiste ablate classic-cnn --only "without dropout" --row optimizer.batch_size=128
      modiste ablate sprint --row "two more epochs=schedule.epochs=7" --jobs 2
    """
    from modiste.experiments import ablation

    base = resolve_recipe(recipe, sets)
    rows = _choose_rows(base, only, typed_rows)
    title = name or f"{base.name}-ablation"
    plan = ablation.plan(base, rows, seeds, split, Path("runs") / "ablate" / title, resources)
    if list_only:
        _list_rows(rows, as_json)
    else:
        _run(plan, title, out / f"{title}.json", as_json)


def _run(plan: "Ablation", title: str, path: Path, as_json: bool) -> None:
    """Train, write the results file and the chart, and print the results."""
    from modiste.cli.output import log, print_json, typed_command
    from modiste.experiments import ablation
    from modiste.reporting import canvas
    from modiste.runs import files, results

    files.make_folder(path.parent)  # before hours of training
    ablation.write(path, title, typed_command(), plan, ablation.run(plan, log))
    content, figure = results.read(path), path.with_suffix(".png")
    canvas.save(_plot(content, plan.recipe.name), figure)
    if as_json:
        print_json(content)
    else:
        _print_table(content)
        click.echo(f"{path}, {figure}")
    if any("failed" in row for row in content["tricks"]):
        sys.exit(1)


def _choose_rows(recipe: "Recipe", only: tuple[str, ...], typed: tuple[str, ...]) -> "list[Row]":
    """Return the rows of the recipe, or those of them that are named, and the ones of the command line."""
    from modiste.errors import SettingError
    from modiste.experiments import tricks
    from modiste.experiments.ablation import to_slug
    from modiste.recipes import settings

    rows = {to_slug(row.name): row for row in tricks.find_rows(recipe)}
    for name in only:
        if to_slug(name) not in rows:
            raise SettingError(
                f"{recipe.name} has no row {name!r}. {settings.suggest(name, [r.name for r in rows.values()])}"
            )
    return [*([rows[to_slug(name)] for name in only] if only else rows.values()), *tricks.parse_rows(typed)]


def _list_rows(rows: "list[Row]", as_json: bool) -> None:
    from modiste.cli.output import print_json
    from modiste.recipes import settings

    if as_json:
        print_json([{"row": row.name, "settings": row.settings} for row in rows], indent=2)
        return
    for row in rows:
        changes = [f"{key}={settings.format_value(value)}" for key, value in row.settings.items()]
        click.echo(f"{row.name}\n    {' '.join(changes)}")


def _plot(content: dict[str, Any], recipe: str) -> Any:
    from modiste.reporting.difference_figure import plot_differences, to_difference_rows

    rows = to_difference_rows(content["tricks"][1:])
    seeds = content["tricks"][0]["n"]
    return plot_differences(rows, f"{recipe} with one change, {content['split']}, {seeds} seed{'s' * (seeds != 1)}")


def _print_table(content: dict[str, Any]) -> None:
    from modiste.cli.tables import open_console, to_rich
    from modiste.reporting.formatting import format_percent
    from modiste.reporting.text_tables import TextTable

    titles = ("row", "n", f"{content['split']} accuracy", "difference", "95 % interval", "p", "p (Holm)")
    rows = [
        [row["recipe"], str(row["n"]), format_percent(row.get("mean")), *_difference_cells(row)]
        for row in content["tricks"]
    ]
    open_console().print(to_rich(TextTable((*titles, "detectable", "time"), rows)))
    for row in content["tricks"]:
        for failed in row.get("failed", []):
            click.echo(f"{row['recipe']}: seed {failed['seed']} failed. {failed['reason']}")
    _print_notes(content)


def _difference_cells(row: dict[str, Any]) -> list[str]:
    from modiste.experiments.ablation import UNCHANGED
    from modiste.reporting.formatting import format_p_value

    if row["recipe"] == UNCHANGED or "difference" not in row:
        return [""] * 6
    interval, detectable = row["difference_interval"], row["minimum_detectable_difference"]
    return [
        f"{100 * row['difference']:+.2f}",
        f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}" if interval else "-",
        *(format_p_value(row[key]) for key in ("p_value", "p_holm")),
        "-" if detectable is None else f"{100 * detectable:.2f}",
        f"x {row['seconds_ratio']:.2f}" if row["seconds_ratio"] else "-",
    ]


def _print_notes(content: dict[str, Any]) -> None:
    seeds = content["tricks"][0]["n"]
    if seeds == 1:
        click.echo(
            "One seed gives no interval. Repeat the command with more --seeds; what is finished is not trained again."
        )
    click.echo(
        "Differences are percentage points, paired over seeds. detectable: the least that so many seeds would show in "
        "4 of 5 ablations. p (Holm) is corrected for the number of rows; the intervals are not."
    )
    if content["split"] == "validation" and content["base"]["early_stopping.patience"]:
        click.echo("The epoch of each training was chosen on the same images, which favors rows with early stopping.")
    if len(content["precision"]) > 1:
        click.echo(f"The trainings differ in precision ({', '.join(content['precision'])}), so compare with care.")
