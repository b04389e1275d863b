"""`modiste export`: a run's model as one file to take away."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--out", type=click.Path(path_type=Path), metavar="F", help="Left out: RUN.onnx, or RUN-int8.onnx.")
@click.option("--int8", is_flag=True, help="In 8-bit integers: a quarter of the size.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(run: Path, out: Path | None, int8: bool, as_json: bool) -> None:
    """Write a run's model as one ONNX file: all that `predict` and `serve` need, here or on another machine.

    In 8-bit integers it is judged on the images that the run held out, or where it held nothing out on training images,
    and not written when it loses more than one point of accuracy. That needs the extra `train`.

    \b
    Examples:
      modiste export runs/my-cnn
      modiste export runs/my-cnn --int8 --out small.onnx
      modiste predict --model small.onnx boot.png
    """
    from dataclasses import asdict

    from modiste.cli.output import print_json
    from modiste.export import export

    found = export.export(run, out, int8)
    if as_json:
        print_json(asdict(found) | {"path": str(found.path)})
        return
    click.echo(f"{found.path}: {found.megabytes:.2f} MB")
    if judged := found.judged:
        click.echo(
            f"right on {judged.accuracy:.2%} of {judged.n:,} {judged.split} images, the model of {run} on "
            f"{judged.before:.2%}; both say the same of {judged.same:.2%}"
        )
