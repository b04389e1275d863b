"""The `modiste` command: runs a subcommand, and turns errors into one line and an exit code.

Only the subcommand that runs is imported, so that `--help` is fast and `predict` does not import torch.
"""

import errno
import importlib
import io
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import click

from modiste import __version__
from modiste.errors import InputError, ModisteError, OutputError, SettingError, Stopped
from modiste.training.signals import StopRequest, stop_request

COMMANDS = {
    "demo": "Train, evaluate, predict and report in one go.",
    "train": "Train a recipe into a run folder, or resume a run.",
    "evaluate": "Evaluate a run or a model on the test split.",
    "compare": "Compare several runs.",
    "report": "Write a report on runs as HTML, PDF, Markdown or LaTeX.",
    "bench": "Train recipes with several seeds or folds; report means and intervals.",
    "ablate": "Measure what each trick of a recipe is worth.",
    "tune": "Search the settings of a recipe, and measure the gain.",
    "audit": "Find labels that are probably wrong, and near-duplicates.",
    "predict": "Predict the class of photos.",
    "export": "Export the model of a run, as one file or as a web page.",
    "serve": "Serve a web page and an HTTP API that classify photos.",
    "data": "Verify or show a dataset.",
    "doctor": "Check this installation.",
}

EXTRAS = {
    "pdf": ("weasyprint",),
    "train": ("torch", "torchvision", "onnx", "onnxscript", "safetensors"),
    "photo": ("timm",),
    "audit": ("cleanlab",),
    "parquet": ("pyarrow",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "tune": ("optuna",),
    "cluster": ("ray", "fsspec", "s3fs"),
    "web": ("fastapi", "uvicorn", "prometheus_client", "python_multipart"),
    "report": ("matplotlib", "scipy", "sklearn", "jinja2"),
}

EXIT_GRACE = 2.0
"""Seconds that a command which ends waits for its threads: one that never ends must not keep the process."""

CACHES = {"MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "torchinductor"}
"""Variables that name the folder of a library's cache, and the name of that folder."""

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
    with stop_request(interrupts=True) as stop:
        try:
            _run_and_wait(stop)
        except KeyboardInterrupt:  # a second signal, while the first one ends the command
            _end_process(128 + (stop.signal_number or signal.SIGINT))


def _run_and_wait(stop: StopRequest) -> None:
    threads_before = set(threading.enumerate())
    try:
        _run_until_stopped(stop)
    except SystemExit as end:
        _wait_for_threads(threads_before, end.code)
        raise


def _wait_for_threads(others: set[threading.Thread], code: int | str | None) -> None:
    """Wait for the threads of a command, apart from `others`; end the process if one of them goes on after the grace.

    The interpreter itself would wait without a limit: for a model that never returns, through SIGTERM and Ctrl-C.
    """
    deadline = time.monotonic() + EXIT_GRACE
    running = filter(threading.Thread.is_alive, threading.enumerate())  # one that a signal kept from starting is not
    threads = [each for each in running if each not in others and not each.daemon]
    with suppress(KeyboardInterrupt):  # a second Ctrl-C ends the wait
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        _end_process(code if isinstance(code, int) else 0 if code is None else 1)


def _end_process(code: int) -> NoReturn:
    """End without the interpreter's end, which waits for all threads."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run_until_stopped(stop: StopRequest) -> None:
    """Prepare the environment and run; a signal ends the command in one line."""
    _configure_torch()
    _set_cache_folders()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold bytes that are not valid text
    try:
        _run(stop)
    except (click.Abort, KeyboardInterrupt) as interrupt:
        if error := _interrupted_error(interrupt):
            _exit(str(error), _exit_code(error, stop))
        _exit("Stopped.", 128 + (stop.signal_number or signal.SIGINT))
    except Exception:
        if stop():  # whatever a library makes of the interrupt, this is no error
            _exit("Stopped.", 128 + stop.signal_number)
        raise


def _exit_code(error: ModisteError, stop: StopRequest) -> int:
    """Return the exit code of an error; where it was a KeyboardInterrupt, that of the signal that raised it."""
    return 128 + stop.signal_number if stop() and isinstance(error, Stopped) else error.exit_code


def _interrupted_error(interrupt: BaseException) -> ModisteError | None:
    """Return the error that ended the command already when a signal arrived, if there is one."""
    cause: BaseException | None = interrupt
    while cause:
        if isinstance(cause, ModisteError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _set_cache_folders() -> None:
    """Let libraries keep their caches in one folder of modiste, unless a variable names another or it is read-only."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - `Path.home` may fail
    existing = next((folder for folder in (home, *home.parents) if folder.exists()), home)
    if os.access(existing, os.W_OK):
        for variable, name in CACHES.items():
            os.environ.setdefault(variable, str(home / "modiste" / name))


def _run(stop: StopRequest) -> None:
    """Run the command line and exit; errors become one line."""
    try:
        sys.exit(modiste(prog_name="modiste", standalone_mode=False))
    except ModisteError as error:
        _exit(str(error), _exit_code(error, stop))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        help_page = f" See {context.command_path} --help." if context else ""
        _exit(f"{error.format_message()}{help_page}", error.exit_code)
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


def _configure_torch() -> None:
    """Set what PyTorch reads when it is imported."""
    # Threads that wait spin for about 0.1 ms, then sleep. To spin on makes a training 3 to 7 times slower when other
    # processes run, to sleep at once makes it a quarter slower on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if "RANK" in os.environ:  # started by torchrun: PyTorch warns of an option of its own that `training.ranks` needs
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


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
