"""`modiste data`: look at the data before anything is trained on it."""

from pathlib import Path
from typing import Any

import click

DATA_HELP = "Folder with IDX files or class folders; left out: the bundled Fashion-MNIST."


@click.group()
def data() -> None:
    """Verify or show the data.

    \b
    Examples:
      modiste data verify
      modiste data show --out sheet.png
    """


@data.command(short_help="Check MD5 sums, images and labels.")
@click.option("--data", "source", default="", metavar="D", help=DATA_HELP)
@click.option("--size", type=int, help="Pixels a side that images are made with.  [default: 28]")
@click.option("--channels", type=int, help="1 gray, 3 RGB.  [default: 1]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(source: str, size: int | None, channels: int | None, as_json: bool) -> None:
    """Check the data: the published MD5 sums of the bundled files, then every image and label.

    \b
    Examples:
      modiste data verify
      modiste data verify --data my-clothes --json
    """
    from modiste.cli.output import print_json
    from modiste.data import fashion_mnist, sources
    from modiste.errors import InputError

    files = [] if source else fashion_mnist.verify()
    altered = [file["file"] for file in files if not file["published"]]
    if altered:
        raise InputError(f"{', '.join(altered)}: the MD5 is not the published one. Install modiste again.")
    splits = sources.describe(_data(source, size, channels))
    if as_json:
        print_json({"files": files, "splits": splits}, indent=2)
    else:
        _print(files, splits)


@data.command(short_help="Draw a contact sheet.")
@click.option("--data", "source", default="", metavar="D", help=DATA_HELP)
@click.option("--size", type=int, help="Pixels a side that images are made with.  [default: 28]")
@click.option("--channels", type=int, help="1 gray, 3 RGB.  [default: 1]")
@click.option("--per-label", type=click.IntRange(1, 100), default=10, show_default=True, help="Images of each label.")
@click.option("--out", type=click.Path(path_type=Path), default="contact-sheet.png", show_default=True, metavar="F")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def show(source: str, size: int | None, channels: int | None, per_label: int, out: Path, as_json: bool) -> None:
    """Draw the first training images of each label on a contact sheet, as PNG.

    \b
    Examples:
      modiste data show
      modiste data show --data my-clothes --size 96 --channels 3 --per-label 5 --out clothes.png
    """
    from modiste.cli.output import print_json
    from modiste.data import sources
    from modiste.imaging.contact_sheet import contact_sheet
    from modiste.runs import files

    rows = sources.first_of_each_label(_data(source, size, channels), per_label)
    files.write_bytes(out, contact_sheet(rows))
    images = sum(len(images) for _, images in rows)
    if as_json:
        print_json({"file": str(out), "labels": len(rows), "images": images})
    else:
        click.echo(f"{out}: {images} images of {len(rows)} labels")


def _data(source: str, size: int | None, channels: int | None) -> Any:
    """The recipe's data section with all images for training, checked as a recipe is."""
    from modiste.recipes.recipe import Recipe
    from modiste.recipes.settings import with_settings

    given = {"data.image_size": size, "data.channels": channels}
    chosen = {key: value for key, value in given.items() if value is not None}
    plain = {"data.source": source, "data.val_fraction": 0, "schedule.name": "constant"}
    return with_settings(Recipe(), plain | chosen).data


def _print(files: list[dict[str, Any]], splits: list[dict[str, Any]]) -> None:
    for file in files:
        click.echo(f"{file['file']}: MD5 {file['md5']}, as published")
    for split in splits:
        shape = " x ".join(map(str, split["shape"]))
        click.echo(f"{split['split']}: {split['images']} images of {shape}, SHA-256 {split['sha256'][:16]}")
        click.echo("  " + ", ".join(f"{label} {count}" for label, count in split["labels"].items()))
