"""Progress of long work: a bar on a terminal and in a notebook, a line for each epoch elsewhere; always on stderr.

Of several processes that torchrun started, only the first shows it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from modiste.runs.metrics_file import EpochMetrics


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; yield a function that advances it."""
    with Bar() as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


class Bar(Progress):
    """A bar that shows nothing where stderr is not a terminal, nor in a notebook without ipywidgets."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr, highlight=False, quiet=os.environ.get("RANK", "0") != "0")
        is_shown = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        super().__init__(*columns, console=console, transient=True, disable=not is_shown)


class TrainingProgress(Bar):
    """Shows the progress of a training of so many epochs, as a `ProgressCallback`; the estimate is for all of them."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.is_head: bool | None = None
        self.task = self.add_task("reading the data", total=None)

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar; in the first step, print that the head is fitted, or that the epochs have started."""
        is_head = epoch == 0
        if is_head != self.is_head:
            self.is_head = is_head
            epochs = f"epoch {epoch:3}  started, {steps} step{'s' * (steps != 1)} per epoch"
            self.console.print(f"the head is fitted first, in {steps} steps" if is_head else epochs)
            self.reset(self.task)
        if is_head:
            self.update(self.task, description="head", completed=step, total=steps)
        else:
            name, done = f"epoch {epoch} of {self.epochs}", (epoch - 1) * steps + step
            self.update(self.task, description=name, completed=done, total=self.epochs * steps)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Print a line with the metrics of an epoch."""
        validation = ""
        if metrics.val_loss is not None and metrics.val_accuracy is not None:
            validation = f"  validation loss {metrics.val_loss:.4f}  accuracy {metrics.val_accuracy:.2%}"
        self.console.print(
            f"epoch {metrics.epoch:3}  train loss {metrics.train_loss:.4f}  accuracy {metrics.train_accuracy:.2%}"
            f"{validation}  lr {metrics.lr:.2g}  {metrics.seconds:.1f} s",
            soft_wrap=True,
        )
