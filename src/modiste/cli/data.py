"""`modiste data`: look at the data before anything is trained on it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modiste.cli.options import DATA_HELP, OutputFile
from modiste.errors import SettingError

if TYPE_CHECKING:
    from modiste.recipes.config import DataConfig


OPTIONS = {"data.image_size": "--size", "data.channels": "--channels", "data.resize_mode": "--resize-mode"}
OPTIONS |= {"data.group_pattern": "--group-pattern"}
"""The settings that these commands take as options."""


@contextmanager
def _name_options() -> Iterator[None]:
    """Name the options of these commands in errors about settings, which they do not take."""
    try:
        yield
    except SettingError as error:
        message = str(error)
        for key, option in OPTIONS.items():
            message = message.replace(key, option)
        raise SettingError(message) from error


@click.group()
def data() -> None:
    """Verify or show the data.

    \b
    Examples:
      modiste data verify
      modiste data show --out sheet.png
    """


@data.command(short_help="Check images, labels and MD5 sums.")
@click.option("--data", "source", metavar="D", help=DATA_HELP)
@click.option("--size", type=int, help="Pixels a side that images are made with.  [default: 28]")
@click.option("--channels", type=int, help="1 gray, 3 RGB.  [default: 1]")
@click.option("--group-pattern", metavar="P", help="Regular expression of groups, as the setting data.group_pattern.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@_name_options()
def verify(
    source: str | None, size: int | None, channels: int | None, group_pattern: str | None, as_json: bool
) -> None:
    """Check the data: the published MD5 sums of the bundled files, then every image and label.

    Every file that cannot be read is named, and then the exit code is 1; so are files and folders that are not used.
    Warnings are about classes with fewer than 20 training images, classes with ten times as many images as another,
    class names that differ only in case or accents, groups in several splits, and images that are the same or nearly
    the same.

    \b
    Examples:
      modiste data verify
      modiste data verify --data my-clothes --json
    """
    from modiste.cli.output import print_json
    from modiste.data import fashion_mnist
    from modiste.data.verify import verify as verify_data

    content = verify_data(_data_config(source, size, channels, group_pattern=group_pattern))
    content["files"] = [] if source else fashion_mnist.verify()  # an altered file was an error of `verify_data`
    print_json(content, indent=2) if as_json else _print(content)
    if content["unreadable"]:
        sys.exit(1)


@data.command(short_help="Draw a contact sheet.")
@click.option("--data", "source", metavar="D", help=DATA_HELP)
@click.option("--size", type=int, help="Pixels a side that images are made with.  [default: 28]")
@click.option("--channels", type=int, help="1 gray, 3 RGB.  [default: 1]")
@click.option("--resize-mode", metavar="M", help="Photos: squash, letterbox or center_crop.  [default: squash]")
@click.option("--per-class", type=click.IntRange(1, 100), default=10, show_default=True, help="Images of each class.")
@click.option(
    "--out", type=OutputFile(".png"), default="contact-sheet.png", show_default=True, metavar="F", help="File to write."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@_name_options()
def show(
    source: str | None,
    size: int | None,
    channels: int | None,
    resize_mode: str | None,
    per_class: int,
    out: Path,
    as_json: bool,
) -> None:
    """Draw the first training images of each class on a contact sheet, as PNG.

    \b
    Examples:
      modiste data show
      modiste data show --data my-clothes --size 96 --channels 3 --per-class 5 --out clothes.png
    """
    from modiste.cli.output import print_json
    from modiste.data import sources
    from modiste.imaging.contact_sheet import MIN_CELL, contact_sheet
    from modiste.runs import files

    rows = sources.first_of_each_class(_data_config(source, size, channels, resize_mode), per_class)
    files.write_bytes(files.follow_link(out), contact_sheet(rows, max(MIN_CELL, rows[0][1].shape[1])))
    images = sum(len(images) for _, images in rows)
    content = {"file": str(out), "classes": len(rows), "images": images}
    print_json(content) if as_json else click.echo(f"{out}: {images} images of {len(rows)} classes")


def _data_config(
    source: str | None,
    size: int | None,
    channels: int | None,
    resize_mode: str | None = None,
    group_pattern: str | None = None,
) -> "DataConfig":
    """Return a recipe's data section with all images in train, checked as a recipe is."""
    from modiste.recipes.recipe import Recipe
    from modiste.recipes.settings import with_settings

    options = {
        "data.source": source,
        "data.image_size": size,
        "data.channels": channels,
        "data.resize_mode": resize_mode,
        "data.group_pattern": group_pattern,
    }
    settings = {key: value for key, value in options.items() if value is not None}
    return with_settings(Recipe(), {"data.val_fraction": 0, "schedule.name": "constant"} | settings).data


def _print(content: dict[str, Any]) -> None:
    for file in content["files"]:
        click.echo(f"{file['file']}: MD5 {file['md5']}, as published")
    click.echo(f"dataset: {content['dataset']}")
    for split in content["splits"]:
        shape = " x ".join(map(str, split["shape"]))
        checksum = f", SHA-256 {split['sha256'][:16]}" if split["sha256"] else ""
        click.echo(f"{split['split']}: {split['images']} images of {shape}{checksum}")
        click.echo("  " + ", ".join(f"{label} {count}" for label, count in split["labels"].items()))
    for path in content["ignored"]:
        click.echo(f"not used: {path}")
    for unreadable in content["unreadable"]:
        click.echo(f"unreadable: {unreadable['error']}")
    for warning in content["warnings"]:
        click.echo(f"warning: {warning}")
