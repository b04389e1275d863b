"""`modiste export`: a run's model as one file, or as a page that needs no server."""

from pathlib import Path

import click

from modiste.cli.options import RUN_PATH, OutputFile
from modiste.reporting.formatting import format_count


@click.command()
@click.argument("run", type=RUN_PATH, metavar="RUN_OR_MODEL")
@click.option("--out", type=OutputFile(".onnx"), metavar="FILE", help="Default: RUN.onnx, or RUN-int8.onnx.")
@click.option("--int8", is_flag=True, help="Quantize to 8-bit integers: a quarter of the size.")
@click.option("--data", metavar="FOLDER", help="With --int8: the run's data, if it was moved.")
@click.option("--web", type=click.Path(path_type=Path), metavar="FOLDER", help="Write a page that needs no server.")
@click.option(
    "--onnxruntime-web",
    "package",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --web: the npm package onnxruntime-web. Default: it is downloaded once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(
    run: Path, out: Path | None, int8: bool, data: str | None, web: Path | None, package: Path | None, as_json: bool
) -> None:
    """Write a run's model as one ONNX file: all that `predict` and `serve` need, here or on another machine.

    A model in 8-bit integers is evaluated on the images that the run held out, or on training images where nothing was
    held out, and is not written when it loses more than one point of accuracy. This needs the extra `train`.

    With --web, a run, an .onnx file or a bundled model (fashion-mnist, photo) becomes a folder for any static host: the
    page of `modiste serve`, which classifies photos in the browser. Photos do not leave the device, and after the first
    visit the page works without a connection.

    \b
    Examples:
      modiste export runs/my-cnn
      modiste export runs/my-cnn --int8 --out small.onnx
      modiste predict --model small.onnx boot.png
      modiste export runs/my-cnn --web site/
      python -m http.server --directory site/
    """
    from dataclasses import asdict

    from modiste.cli.output import print_json
    from modiste.errors import SettingError
    from modiste.export import export
    from modiste.inference import bundled_files

    if data and not int8:
        raise SettingError("--data is without --int8, but only --int8 reads data. Add --int8, or leave --data out.")
    if package and not web:
        raise SettingError("--onnxruntime-web is without --web. Add --web, or leave --onnxruntime-web out.")
    if web:
        if out or int8:
            raise SettingError("--web writes a folder, --out and --int8 an .onnx file. Give that file to --web then.")
        _export_site(run, web, package, as_json)
        return
    if run.is_file() or (str(run) in bundled_files.NAMES and not run.exists()):
        raise SettingError(
            f"{run} is a model, which is one file already; --int8 needs the images of a run. Give a run, or add --web "
            f"FOLDER to write a page. To use the model: modiste predict --model {run} PHOTO"
        )
    path, evaluation = export.export(run, out, int8, data or "")
    megabytes = path.stat().st_size / 1e6
    if as_json:
        print_json({"path": str(path), "megabytes": megabytes, "evaluation": evaluation and asdict(evaluation)})
        return
    click.echo(f"{path}: {megabytes:.2f} MB")
    if evaluation:
        images = format_count(evaluation.n, f"{evaluation.split} image")
        click.echo(
            f"accuracy {evaluation.accuracy:.2%} on {images}, with the model of {run} "
            f"{evaluation.original_accuracy:.2%}; both predict the same class for {evaluation.agreement:.2%}"
        )


def _export_site(model: Path, folder: Path, package: Path | None, as_json: bool) -> None:
    """Write the page of a model, and print the size of the folder."""
    from modiste import inference
    from modiste.cli.inputs import find_model
    from modiste.cli.output import print_json
    from modiste.web.static_site import write_site

    (loaded,) = inference.load(find_model(str(model)), threads=1).models
    site = write_site(loaded, folder, package)
    model_size, other_size = site.model_bytes / 1e6, site.other_bytes / 1e6
    if as_json:
        print_json({"path": str(folder), "model_megabytes": model_size, "other_megabytes": other_size})
        return
    click.echo(f"{folder}: {model_size + other_size:.2f} MB, of which the model has {model_size:.2f} MB")
    click.echo(f"Copy it to any static host, or: python -m http.server --directory {folder}")
