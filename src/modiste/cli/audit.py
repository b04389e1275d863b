"""`modiste audit`: look for wrong labels and near-duplicates."""

import shlex
from pathlib import Path
from typing import Any

import click

from modiste.cli.options import DATA_HELP, set_option
from modiste.reporting.formatting import format_interval, format_percent


@click.command()
@click.argument("recipe", required=False)
@click.option("--data", metavar="D", help=DATA_HELP)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("audit"), show_default=True, help="Folder of all results."
)
@set_option
@click.option(
    "--evaluate", "targets", multiple=True, metavar="RUN_OR_MODEL",
    help="Also give the accuracy of this run, model or file of probabilities with and without label issues.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Number of trainings in parallel.")
@click.option(
    "--rate", "verdicts", type=click.Path(path_type=Path), metavar="VERDICTS",
    help="Estimate the share of wrong labels from verdicts on the page verdicts.html of --out.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def audit(
    recipe: str | None,
    data: str | None,
    out: Path,
    sets: tuple[str, ...],
    targets: tuple[str, ...],
    jobs: int,
    verdicts: Path | None,
    as_json: bool,
) -> None:
    """Find labels that are probably wrong, and near-duplicates within and across splits.

    RECIPE is trained on folds of the training images, so that each image is predicted by a model that was not trained
    on it; left out, it is a fast one that fits the data. A suspect is an image whose label is not the most probable
    one, a label issue one that confident learning counts as wrong. Writes suspects.csv, duplicates.csv, a gallery
    (index.html) and a page for verdicts by eye (verdicts.html) to --out. Resumes when the command is repeated. Needs
    modiste[audit].

    \b
    Examples:
      modiste audit
      modiste audit --data my-clothes --out my-clothes-audit
      modiste audit sprint-94 --jobs 2 --evaluate runs/my-cnn
      modiste audit --rate verdicts.json
    """
    from modiste.cli.output import log, print_json
    from modiste.experiments import audit as experiment
    from modiste.experiments import verdicts as verdict_files

    command = _command(recipe, data, out, sets, targets, verdicts)
    if verdicts is not None:
        estimate = verdict_files.rate(out, verdicts, command)
        print_json(estimate) if as_json else click.echo(_format_rate(estimate))
        return
    from modiste.recipes import named, settings

    chosen = named.resolve(recipe) if recipe else experiment.default_recipe(data or "")
    changes = {"data.source": data} if data else {}
    chosen = settings.with_settings(chosen, changes | dict(map(settings.parse_setting, sets)))
    plan = experiment.Audit(settings.with_absolute_paths(chosen), out, targets, jobs)
    content = experiment.run(plan, command, log)
    print_json(content) if as_json else click.echo(_format_audit(content, out))


def _command(
    recipe: str | None,
    data: str | None,
    out: Path,
    sets: tuple[str, ...],
    targets: tuple[str, ...],
    verdicts: Path | None,
) -> str:
    """Return the command that was typed, without what does not change its results."""
    parts = ["modiste", "audit", *([recipe] if recipe else [])]
    for option, values in (("--data", [data]), ("--set", sets), ("--evaluate", targets), ("--rate", [verdicts])):
        parts += [part for value in values if value for part in (option, str(value))]
    return shlex.join([*parts, "--out", str(out)])


def _format_audit(content: dict[str, Any], out: Path) -> str:
    lines = [
        f"{each['split']}: {each['suspects']:,} of {each['images']:,} labels are suspects, as they are not the most "
        f"probable one; of these, {each['label_issues']:,} are label issues, wrong by confident learning"
        for each in content["splits"]
    ]
    for each in content["duplicates"]:
        within = (
            f"within {each['splits'][0]}" if len(set(each["splits"])) == 1 else "across " + " and ".join(each["splits"])
        )
        lines.append(f"{each['pairs']:,} near-duplicates {within}, {each['different_labels']:,} with different labels")
    for each in content["accuracies"]:
        both = each["without_both"]
        without = f", {format_percent(both['accuracy'])} without label issues and duplicates" if both else ""
        lines.append(f"{each['method']}: {each['split']} accuracy {format_percent(each['all']['accuracy'])}{without}")
    return "\n".join([*lines, f"{out / 'index.html'}: open this file in a browser; verdicts.html asks for verdicts"])


def _format_rate(content: dict[str, Any]) -> str:
    estimate, unsure = content["estimate"], content["estimate_with_unsure"]
    n = sum(each["n"] for each in content["runs"])
    return (
        f"{estimate['rate']:.2%} of the {content['images']:,} labels of {content['split']} are wrong (95 % interval "
        f"{format_interval(estimate['interval'])} %), about {estimate['errors']:,.0f}; with the unsure ones "
        f"{unsure['rate']:.2%} ({format_interval(unsure['interval'])} %). By {n} verdicts of {content['annotators']}: "
        f"{content['method']}"
    )
