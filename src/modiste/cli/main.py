"""The `modiste` command: runs a subcommand, and turns errors into one line and an exit code.

Only the subcommand that runs is imported, so that `--help` is fast and `predict` does not import torch.
"""

import errno
import importlib
import io
import os
import sys
from itertools import pairwise

import click

from modiste import __version__
from modiste.errors import InputError, ModisteError, OutputError, SettingError

COMMANDS = {
    "demo": "Train, evaluate, predict and report in one go.",
    "train": "Train a recipe into a run folder, or resume a run.",
    "evaluate": "Evaluate a run or a model on the test split.",
    "compare": "Compare several runs.",
    "report": "Write a report on runs as one HTML page.",
    "bench": "Train recipes with several seeds or folds; report means and intervals.",
    "ablate": "Measure what each trick of a recipe is worth.",
    "tune": "Search the settings of a recipe, and measure the gain.",
    "audit": "Find labels that are probably wrong, and near-duplicates.",
    "predict": "Predict the class of photos.",
    "export": "Export the model of a run as one file.",
    "serve": "Serve a web page and an HTTP API that classify photos.",
    "data": "Verify or show a dataset.",
}

EXTRAS = {
    "train": ("torch", "torchvision", "onnx", "onnxscript", "safetensors"),
    "photo": ("timm",),
    "audit": ("cleanlab",),
    "parquet": ("pyarrow",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "tune": ("optuna",),
    "web": ("fastapi", "uvicorn", "prometheus_client", "python_multipart"),
    "report": ("matplotlib", "scipy", "sklearn", "jinja2"),
}

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)


class Commands(click.Group):
    """The subcommands, each in the module of its name, which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a subcommand; None if there is none of that name."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"modiste.cli.{name}"), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raise a SettingError for an empty value anywhere on the command line, as an unset shell variable gives it."""
        without_value = [arg[:-1] for arg in args if arg.startswith("--") and arg.find("=") == len(arg) - 1]
        if empty := without_value + [before for before, value in pairwise(args) if not value.strip()]:
            raise SettingError(f"The value after {empty[0]} is empty. Give one, or leave out the option that takes it.")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="modiste")
def modiste() -> None:
    """Train, evaluate and deploy image classifiers of clothes.

    \b
    Examples:
      modiste demo
      modiste train classic-cnn --name my-cnn
      modiste predict photo.jpg
    """


def main() -> None:
    """Run the command line and exit with its code."""
    # Read when torch is imported: threads that wait spin for about 0.1 ms, then sleep. To spin on makes a training 3 to
    # 7 times slower when other processes run, to sleep at once makes it a quarter slower on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold bytes that are not valid text
    try:
        sys.exit(modiste(prog_name="modiste", standalone_mode=False))
    except ModisteError as error:
        _exit(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        help_page = f" See {context.command_path} --help." if context else ""
        _exit(f"{error.format_message()}{help_page}", error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _exit("Stopped.", 130)
    except BrokenPipeError:
        sys.stderr.close()  # or Python complains about it at its end
        sys.exit(141)
    except OSError as error:
        _exit(*_os_error_message(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        if extra is None:
            raise
        _exit(f"This command needs {error.name}, which is not installed. Try: pip install 'modiste[{extra}]'", 2)


def _os_error_message(error: OSError) -> tuple[str, int]:
    """Return the message and the exit code for an error of the operating system that no command has handled."""
    reason = error.strerror or error
    if error.errno not in DISK_ERRORS:
        return f"{error.filename or 'A file'} cannot be used ({reason}). Check its permissions.", InputError.exit_code
    if error.filename is None:  # standard output: discard what is left, or Python reports it again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    place = error.filename or "Standard output"
    return f"{place} cannot be written ({reason}). Free space, or write to another place.", OutputError.exit_code


def _exit(message: str, code: int) -> None:
    click.echo(f"modiste: {message}", err=True)
    sys.exit(code)
