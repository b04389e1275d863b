"""`modiste export`: a run's model as one file."""

from pathlib import Path

import click

from modiste.cli.options import OutputFile


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--out", type=OutputFile(".onnx"), metavar="FILE", help="Default: RUN.onnx, or RUN-int8.onnx.")
@click.option("--int8", is_flag=True, help="Quantize to 8-bit integers: a quarter of the size.")
@click.option("--data", metavar="FOLDER", help="With --int8: the run's data, if it was moved.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(run: Path, out: Path | None, int8: bool, data: str | None, as_json: bool) -> None:
    """Write a run's model as one ONNX file: all that `predict` and `serve` need, here or on another machine.

    A model in 8-bit integers is evaluated on the images that the run held out, or on training images where nothing was
    held out, and is not written when it loses more than one point of accuracy. This needs the extra `train`.

    \b
    Examples:
      modiste export runs/my-cnn
      modiste export runs/my-cnn --int8 --out small.onnx
      modiste predict --model small.onnx boot.png
    """
    from dataclasses import asdict

    from modiste.cli.output import print_json
    from modiste.errors import SettingError
    from modiste.export import export

    if data and not int8:
        raise SettingError("--data is without --int8, but only --int8 reads data. Add --int8, or leave --data out.")
    path, evaluation = export.export(run, out, int8, data or "")
    megabytes = path.stat().st_size / 1e6
    if as_json:
        print_json({"path": str(path), "megabytes": megabytes, "evaluation": evaluation and asdict(evaluation)})
        return
    click.echo(f"{path}: {megabytes:.2f} MB")
    if evaluation:
        click.echo(
            f"accuracy {evaluation.accuracy:.2%} on {evaluation.n:,} {evaluation.split} images, with the model of "
            f"{run} {evaluation.original_accuracy:.2%}; both predict the same class for {evaluation.agreement:.2%}"
        )
