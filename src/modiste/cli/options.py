"""What several commands share: a help text, and checks of option values."""

from collections.abc import Callable
from pathlib import Path

import click

from modiste.errors import SettingError

DATA_HELP = "Folder with IDX files or class folders; left out: the bundled Fashion-MNIST."


def check_name(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Raise a SettingError if a name, or an absolute path, does not end in a name or leads out of its folder."""
    if name is not None and (not Path(name).name or ".." in Path(name).parts):
        raise SettingError(
            f"{option.opts[0]} is {name!r}, but it must be a name or an absolute path, without '..'. Give a plain name."
        )
    return name


def check_suffix(*suffixes: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """Return a callback that raises a SettingError for a file whose suffix is not one of these, in any case."""

    def check(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise SettingError(
                f"{option.opts[0]} is {path}, but it must end in {' or '.join(suffixes)}. Give another name, as in "
                f"{option.opts[0]} {option.name}{suffixes[0]}."
            )
        return path

    return check
