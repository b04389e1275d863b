"""One view of all trials on a terminal: a bar over all epochs, and the epochs of each running trial."""

from collections.abc import Iterable, Sequence
from typing import Self

from modiste.experiments.trials import Trial
from modiste.training.progress import Bar

REFRESH_SECONDS = 1.0
"""How often the view is drawn."""

MAX_SHOWN = 8
"""Running trials that are listed by name."""


class TrialsView:
    """Draws the progress of trials in one line, from the metrics in their run folders; nothing without a terminal.

    The estimate of the end is by the epochs that were trained while it was drawn.

    Args:
        total: number of epochs of all trials; None: unknown, as where they end by time.
        trials: those that may have epochs from an earlier call.
    """

    def __init__(self, total: int | None, trials: Iterable[Trial] = ()) -> None:
        self.bar = Bar()
        self.completed = {} if self.bar.disable else {trial.path: trial.count_epochs() for trial in trials}
        self.task = self.bar.add_task("", total=total, completed=sum(self.completed.values()))

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
        self.completed |= {trial.path: trial.count_epochs() for trial in running}
        names = [f"{trial.path.name} {self.completed[trial.path]}/{trial.epochs}" for trial in running[:MAX_SHOWN]]
        more = f" and {len(running) - MAX_SHOWN} more" if len(running) > MAX_SHOWN else ""
        self.bar.update(self.task, description=", ".join(names) + more, completed=sum(self.completed.values()))

    def end(self, trial: Trial) -> None:
        """Count all epochs of a trial that has ended, which are not trained any more where it failed or was pruned."""
        self.completed[trial.path] = trial.epochs
