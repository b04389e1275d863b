"""What several commands share: a help text, and checks of names and output files."""

from pathlib import Path
from typing import Any

import click

from modiste.errors import SettingError
from modiste.runs import folder

DATA_HELP = (
    "Folder with class folders or IDX files, or a .csv, .npz or .parquet file; left out: the bundled Fashion-MNIST."
)


def check_name(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Raise a SettingError if a name, or an absolute path, does not end in a name or leads out of its folder."""
    if name is not None:
        folder.named_path(name, option.opts[0])
    return name


class OutputFile(click.Path):
    """The path of a file to write, whose suffix must be one of these, in any case; otherwise raises a SettingError."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(path_type=Path)
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of a value of the command line."""
        if Path(value).suffix.lower() not in self.suffixes:
            suffixes = " or ".join(self.suffixes)
            raise SettingError(
                f"{param.opts[0] if param else 'A file'} is {value}, but it must end in {suffixes}. Give another name."
            )
        return Path(value)
