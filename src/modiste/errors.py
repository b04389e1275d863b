"""One family of errors, an exit code each.

A message is one sentence for a person: the value, the rule, the next step. It is printed as it stands in the terminal
and over HTTP, so it must never need a traceback to be understood.
"""

import signal


class ModisteError(Exception):
    """Anything that is told to the user in one sentence; `exit_code` is what the command ends with."""

    exit_code = 2


class InputError(ModisteError):
    """A file, picture, data set, model or run folder that cannot be used."""


class UnsupportedPicture(InputError):
    """A file that is no JPEG, PNG or WebP picture at all."""


class SettingError(ModisteError):
    """A recipe, key, flag or value that does not exist or does not fit."""


class TrainingError(ModisteError):
    """A training that cannot continue: its loss is not a number, or the device has too little memory."""

    exit_code = 3


class OutputError(ModisteError):
    """A file or folder that cannot be written, as when the disk is full or read-only."""

    exit_code = 4


class Stopped(ModisteError):
    """A training that was asked to stop and can be resumed.

    Args:
        signal_number: the signal that asked; the exit code is 128 more, as shells count.
        message: where the run is and how to go on.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
