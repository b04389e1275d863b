"""Predict many photos on a Ray cluster, by Ray Data: actors that load the model once, each with a shard at a time.

An actor reads, decodes and predicts the photos of its shard a few at a time, and writes its file itself. So memory does
not grow with the number of photos, and a shard whose actor or node is lost is predicted again, by another one.
"""

import logging
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from modiste.errors import InputError, ModisteError, SettingError
from modiste.experiments.cluster import connection, worker
from modiste.inference import shards
from modiste.inference.model import Predictor
from modiste.inference.shards import Plan
from modiste.runs import files
from modiste.runs.storage import Storage, is_url

Columns = dict[str, NDArray[Any]]
"""A batch of Ray Data."""


class ShardPredictor:
    """An actor, with the model."""

    def __init__(self, model: list[Any], output: Storage, top: int, threads: int) -> None:
        self.predictor: Predictor = ray.get(model[0])
        self.output, self.top, self.threads = output, top, threads

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Columns:
        """Predict and write shards; return the number of rows of each, or class name and message of its error."""
        pairs = zip(batch["index"], batch["shard"], strict=True)
        rows, errors, messages = zip(*(self._write(int(index), str(shard)) for index, shard in pairs), strict=True)
        return {"rows": np.array(rows), "error": np.array(errors), "message": np.array(messages)}

    def _write(self, index: int, shard: str) -> tuple[int, str, str]:
        """Predict and write a shard; an error is returned, since Ray Data replaces what is raised by one of its own."""
        try:
            counts = shards.write_shard(
                self.output, index, shards.from_json(shard), self.predictor, self.top, self.threads
            )
        except ModisteError as error:
            return 0, type(error).__name__, str(error)
        return counts.rows, "", ""


@contextmanager
def open_cluster(address: str, output: Storage, inputs: list[str], cpus: int) -> Iterator[int]:
    """Connect to a cluster for predictions; yield how many actors it has capacity for.

    Raises:
        InputError: there is no cluster at the address, a node has other versions or too few cores, cannot see the
            inputs, or cannot write to the output; or the head of the cluster was lost in the block.
        SettingError: the output is a file.
    """
    with connection.connect(address, _interrupt) as head:
        capacity = connection.require_room(cpus, 0, "A model")
        if local := [path for path in inputs if not is_url(path)]:
            connection.require_readable(local)
        _make_output(output)
        try:
            yield capacity
        except KeyboardInterrupt:
            if not head.is_lost():
                raise
            advice = "The same command resumes, on a cluster that runs"
            raise InputError(f"The head of the Ray cluster does not answer. {advice}.") from None


def _interrupt() -> None:
    """Interrupt the main thread, which waits for Ray Data, as Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _make_output(output: Storage) -> None:
    """Make the folder of the output; raises a ModisteError for one that a node cannot write to, and removes it."""
    folder = None if is_url(output.url) else Path(output.url)
    if folder and folder.exists() and not folder.is_dir():
        raise SettingError(f"--out is {folder}, but on a cluster it must be a folder or a prefix. Give another name.")
    is_new = folder is not None and not folder.exists()
    try:
        if folder:
            files.make_folder(folder)
            connection.require_readable([str(folder)], "--out ")
        connection.require_writable(output, "--out")
    except ModisteError:
        if folder and is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


def predict(
    plan: Plan, missing: Sequence[int], output: Storage, predictor: Predictor, actors: int, cpus: int
) -> Iterator[int]:
    """Predict the shards that the output lacks; yield the number of rows of each as it is written.

    Raises:
        InputError, OutputError: as `shards.write_shard`.
    """
    if not missing:
        return
    context = ray.data.DataContext.get_current()  # imports Ray Data, which sets this level itself
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.enable_progress_bars = False
    items = [{"index": index, "shard": shards.to_json(plan.shards[index])} for index in missing]
    model = [ray.put(predictor)]  # in a list, so that Ray passes the reference on, and here until the end
    size = min(actors, len(items))
    results = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        ShardPredictor,
        fn_constructor_args=(model, output, plan.top, cpus),
        batch_size=1,
        num_cpus=cpus,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size),
    )
    try:
        for row in results.iter_rows():
            if error := worker.to_error(row["error"], row["message"]):
                raise error
            yield int(row["rows"])
    except ray.exceptions.UserCodeException:
        raise  # a fault of this package, with its traceback
    except ray.exceptions.RayError as error:
        raise InputError(f"The predictions failed: {str(error).strip().splitlines()[-1]}") from None
