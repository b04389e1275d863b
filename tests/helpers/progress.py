"""A progress callback for tests."""

from modiste.runs.metrics_file import EpochMetrics


class Silent:
    """A `ProgressCallback` that shows nothing."""

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Ignore a step."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Ignore an epoch."""
