"""The `modiste` command: finds the command that was named, and turns errors into one line and an exit code.

Only the command that runs is imported, so `--help` is quick and `predict` never waits for what `train` needs.
"""

import importlib
import io
import os
import sys

import click

from modiste import __version__
from modiste.errors import ModisteError

COMMANDS = {
    "demo": "The main job in one go: train, judge, predict, report.",
    "train": "Train a recipe into a run folder, or go on with one.",
    "evaluate": "Judge a run or a model on the test split.",
    "compare": "Put several runs side by side.",
    "report": "Write the report of some runs as one HTML page.",
    "bench": "Train recipes with several seeds or folds; means and intervals.",
    "predict": "Say what is on pictures.",
    "export": "Write a run's model as one file to take away.",
    "serve": "A web page and an HTTP API that say what is on pictures.",
    "data": "Verify or show the data.",
}

EXTRAS = {
    "torch": "train",
    "torchvision": "train",
    "onnx": "train",
    "onnxscript": "train",
    "safetensors": "train",
    "timm": "photo",
    "tensorboard": "tensorboard",
    "fastapi": "web",
    "uvicorn": "web",
    "prometheus_client": "web",
    "python_multipart": "web",
    "matplotlib": "report",
    "scipy": "report",
    "sklearn": "report",
}


class Commands(click.Group):
    """The commands, each in a file of its name, imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"modiste.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="modiste")
def modiste() -> None:
    """Train, judge and use classifiers of clothes.

    \b
    Examples:
      modiste demo
      modiste train classic-cnn --name my-cnn
      modiste predict picture.png
    """


def main() -> None:
    """Run the command line and exit with its code."""
    # Read when torch is imported. Threads that spin while they wait make a training 3 to 7 times slower as soon as
    # anything else runs on the machine; threads that sleep at once are a quarter slower on an idle one, as waking them
    # takes longer than most waits. So they spin for about 0.1 ms, then sleep.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may have bytes that no text has
    try:
        sys.exit(modiste(prog_name="modiste", standalone_mode=False))
    except ModisteError as error:
        _end(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _end(_sentence(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("Stopped.", 130)
    except BrokenPipeError:
        sys.stderr.close()  # or Python complains about it at its end
        sys.exit(141)
    except OSError as error:
        _end(f"{error.filename or 'A file'} cannot be used ({error.strerror or error}). Choose another, or free it.", 2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _end(f"This command needs {error.name}, which is not installed. Try: pip install 'modiste[{extra}]'", 2)


def _sentence(error: click.ClickException) -> str:
    """Click's words for a slip of the pen, and where the command is explained."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    help_page = f" See {context.command_path} --help." if context else ""
    return f"{error.format_message()}{help_page}"


def _end(message: str, code: int) -> None:
    click.echo(f"modiste: {message}", err=True)
    sys.exit(code)
