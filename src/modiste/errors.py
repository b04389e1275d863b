"""One family of errors, an exit code each. Users read its message: the value, the rule, the next step."""

import signal

MAX_MESSAGE = 2000
"""Characters of the message of an error."""


class ModisteError(Exception):
    """An error that is shown to the user as one sentence; the command ends with `exit_code`."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        message = " ".join(map(str.strip, message.splitlines()))  # those of libraries may have several lines
        is_long = len(message) > MAX_MESSAGE  # with a text from a file; the next step is at the end
        super().__init__(f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 4 :]}" if is_long else message)


class InputError(ModisteError):
    """A file, photo, dataset, model or run folder that cannot be used."""


class UnsupportedPhoto(InputError):
    """A file that is not a photo in a supported format."""


class SettingError(ModisteError):
    """A recipe, setting, option or value that does not exist or is not allowed."""


class TrainingError(ModisteError):
    """A training that cannot continue: its loss is not a number, or the device has too little memory."""

    exit_code = 3


class OutputError(ModisteError):
    """A file or folder that cannot be written, as when the disk is full or read-only."""

    exit_code = 4


class Stopped(ModisteError):
    """A training that a signal stopped, and that can be resumed. The exit code is 128 + the signal, as in shells."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


STOP_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, a request to end, and that of a terminal that is closed."""


def caught_signals() -> list[signal.Signals]:
    """Return the stop signals without those that this process ignores, as `nohup` lets it ignore SIGHUP."""
    return [each for each in STOP_SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
