"""One view of all trials on a terminal: a bar over all epochs, and the epochs of each running trial."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from modiste.errors import InputError
from modiste.experiments.trials import Trial
from modiste.runs import metrics_file
from modiste.training.progress import Bar

MAX_SHOWN = 8
"""Running trials that are listed by name."""


class TrialsView:
    """Draws the progress of trials in one line, from the metrics in their run folders; nothing without a terminal.

    The estimate of the end is by the epochs that were trained while it was drawn.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials, self.bar = trials, Bar()
        self.task = self.bar.add_task("", total=sum(map(_epochs, trials)), completed=self._completed())

    def __enter__(self) -> Self:
        """Start to draw."""
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the view."""
        self.bar.stop()

    def show(self, running: Sequence[Trial]) -> None:
        """Draw the trials that run now."""
        if self.bar.disable:
            return
        names = [f"{trial.path.name} {_count_epochs(trial)}/{_epochs(trial)}" for trial in running[:MAX_SHOWN]]
        more = f" and {len(running) - MAX_SHOWN} more" if len(running) > MAX_SHOWN else ""
        self.bar.update(self.task, description=", ".join(names) + more, completed=self._completed())

    def _completed(self) -> int:
        return 0 if self.bar.disable else sum(map(_count_epochs, self.trials))


def _epochs(trial: Trial) -> int:
    return trial.recipe.schedule.epochs


def _count_epochs(trial: Trial) -> int:
    """Return the number of epochs of a trial that are over; all of them where it is finished."""
    if trial.run.finished:
        return _epochs(trial)
    with suppress(InputError):  # no epoch is over yet
        return len(metrics_file.read(trial.run.metrics))
    return 0
