"""What several commands share: a help text, recipes, options of experiments, checks of names and output files."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modiste.errors import SettingError
from modiste.experiments.resources import Resources
from modiste.runs import folder

if TYPE_CHECKING:
    from modiste.recipes.recipe import Recipe

DATA_HELP = (
    "Folder with class folders or IDX files, or a .csv, .npz or .parquet file; left out: the bundled Fashion-MNIST."
)

model_option = click.option(
    "--model", metavar="M",
    help="An .onnx file, a run or its name in runs, or a bundled model: fashion-mnist, photo.",
)  # fmt: skip

set_option = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the recipe; can be repeated."
)


def check_name(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Raise a SettingError if a name, or an absolute path, does not end in a name or leads out of its folder."""
    if name is not None:
        folder.named_path(name, option.opts[0])
    return name


def resolve_recipe(recipe: str, sets: Sequence[str]) -> "Recipe":
    """Return the recipe of that name or file with the settings of --set, its paths absolute."""
    from modiste.recipes import named, settings

    changes = dict(map(settings.parse_setting, sets))
    return settings.with_absolute_paths(settings.with_settings(named.resolve(recipe), changes))


def experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that runs trials: `out`, `as_json`, and where they run, as `resources`."""

    @wraps(command)
    def with_resources(
        *,
        jobs: int | None,
        cluster: str | None,
        cpus: int | None,
        gpus: float | None,
        storage: str | None,
        **others: Any,
    ) -> None:
        command(resources=Resources(jobs, cluster or "", cpus, gpus, storage or ""), **others)

    for option in reversed(EXPERIMENT_OPTIONS):
        option(with_resources)
    return with_resources


EXPERIMENT_OPTIONS = (
    click.option(
        "--jobs", type=click.IntRange(1),
        help="Number of trainings in parallel.  [default: 1, or as many as a cluster has room for]",
    ),
    click.option(
        "--cluster", metavar="ADDRESS", help="Train on a Ray cluster: HOST:PORT, or auto for that of this machine."
    ),
    click.option("--cpus", type=click.IntRange(1), help="CPU cores of a training on a cluster.  [default: 1]"),
    click.option(
        "--gpus", type=click.FloatRange(0), help="GPUs of a training on a cluster; 0.5: two share one.  [default: 0]"
    ),
    click.option(
        "--storage", metavar="URL",
        help="Folder or s3:// prefix for checkpoints, which all nodes of a cluster can write to.  [default: they are "
        "sent to this machine]",
    ),
    click.option(
        "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
        help="Folder of the results.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the results as JSON."),
)  # fmt: skip


class RunPath(click.ParamType[Path]):
    """The path of a run, a model file or a results file, or the name of a run in `runs`."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of a value of the command line."""
        from modiste.inference.bundled_files import find_path

        return find_path(value)


RUN_PATH = RunPath()


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
