"""Where the trials of an experiment run, and what each of them gets."""

from dataclasses import dataclass

from modiste.errors import SettingError


@dataclass(frozen=True, slots=True)
class Resources:
    """Where trials run, and what each of them gets.

    Args:
        jobs: maximum number of trials in parallel; None: one on this machine, as many as fit on a cluster.
        cluster: address of a Ray cluster, or "auto" for the one that this machine belongs to; empty: local processes.
        cpus: CPU cores and threads of a trial on a cluster; None: one.
        gpus: GPUs of a trial on a cluster, of which several trials can share one; None: none.
        storage: folder or URL that every node can write to, for the weights and checkpoints of running trials; empty:
            they go through Ray's object store to this machine.

    Raises:
        SettingError: an option of a cluster is set without its address.
    """

    jobs: int | None = None
    cluster: str = ""
    cpus: int | None = None
    gpus: float | None = None
    storage: str = ""

    def __post_init__(self) -> None:
        options = {"--cpus": self.cpus, "--gpus": self.gpus, "--storage": self.storage or None}
        unused = [option for option, value in options.items() if value is not None and not self.cluster]
        if unused:
            raise SettingError(
                f"{unused[0]} is for trials on a cluster. Add --cluster ADDRESS, or leave it out: on this machine, "
                "--jobs trials share the cores."
            )


THIS_MACHINE = Resources()
"""One trial at a time, on all cores of this machine."""
