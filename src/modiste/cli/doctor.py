"""`modiste doctor`: check an installation."""

import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(as_json: bool) -> None:
    """Check this installation: files, a prediction, speed, memory, and what each command lacks.

    The bundled models and data must be the published files, and each model must give a bundled image its class with
    the probability that it has elsewhere. The exit code is 2 if a check fails. A package that is missing is listed with
    the commands that need it, and fails nothing.

    \b
    Examples:
      modiste doctor
      modiste doctor --json
    """
    from dataclasses import asdict

    from modiste.cli.installation import check, missing_packages
    from modiste.cli.output import print_json
    from modiste.runs import environment

    checks, missing = check(), missing_packages()
    failed = [each for each in checks if not each.passed]
    if as_json:
        content = {"checks": [asdict(each) for each in checks], "missing": [asdict(each) for each in missing]}
        print_json({"passed": not failed, **environment.describe(), **content}, indent=2)
    else:
        for each in checks:
            click.echo(f"{'ok' if each.passed else 'FAILED':7} {each.name}: {each.result}")
        for extra in missing:
            packages = ", ".join(extra.packages)
            click.echo(f"{'missing':7} {', '.join(extra.commands)}: {packages}. Try: {extra.advice}")
        for each in failed:
            click.echo(f"\n{each.name}: {each.advice}")
    if failed:
        sys.exit(2)
