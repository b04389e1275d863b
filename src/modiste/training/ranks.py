"""One training in several processes, which torchrun starts: each trains on its slice of every batch.

Gradients are averaged by PyTorch's DistributedDataParallel, over gloo on CPUs and NCCL on GPUs. Weights are the same in
all processes, bit by bit. Batch norm computes its statistics on the slice of each process; its running ones are
averaged over the processes after each step. Only the first process, rank 0, writes files.
"""

import gc
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from signal import SIGTERM
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from modiste.errors import InputError, ModisteError, SettingError, Stopped

Network = TypeVar("Network", bound=nn.Module)

SAME_ERROR_SECONDS = 30
"""In which torchrun ends all processes after the first has failed, so that an error of all is printed once."""

TIMEOUT = timedelta(minutes=30)
"""In which the slowest process must do a step, read the data or measure the precision."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a training, and which of them this one is.

    Args:
        rank: of this process.
        world_size: number of processes.
        local_rank: of this process on its machine, which is the index of its GPU.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def require_equal_slices(self, batch_size: int, images: int) -> None:
        """Raise a SettingError unless all batches can be cut into equal slices, over which gradients are averaged."""
        if self.world_size == 1:
            return
        if batch_size % self.world_size:
            raise SettingError(
                f"optimizer.batch_size is {batch_size}, but {self.world_size} processes share each batch. Choose a "
                f"multiple of {self.world_size}."
            )
        if images < batch_size:
            raise SettingError(
                f"There are {images} training images, fewer than optimizer.batch_size, {batch_size}. Lower it, or "
                "train in one process."
            )

    def slice(self, values: Tensor) -> Tensor:
        """Return the part of a tensor, along its first dimension, that this process works on; the last may be short."""
        return values if self.world_size == 1 else values.tensor_split(self.world_size)[self.rank]

    def gather(self, values: Tensor, total: int) -> Tensor:
        """Join the slices of all processes to a tensor of `total` rows; `values` is that of this process."""
        if self.world_size == 1:
            return values
        if values.dtype == torch.bool:  # which gloo does not send
            return self.gather(values.to(torch.uint8), total).bool()
        lengths = [len(part) for part in torch.empty(total).tensor_split(self.world_size)]
        padded = values.new_zeros(max(lengths), *values.shape[1:])
        padded[: len(values)] = values
        parts = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(parts, padded)
        return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])

    def any(self, value: bool) -> bool:
        """Return whether a value is true in any of the processes."""
        if self.world_size == 1:
            return value
        flag = self._flag(value)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def broadcast(self, value: bool) -> bool:
        """Return the value that the first process has."""
        if self.world_size == 1:
            return value
        flag = self._flag(value)
        dist.broadcast(flag, 0)
        return bool(flag.item())

    def broadcast_network(self, network: nn.Module, buffers_only: bool = False) -> None:
        """Copy buffers and weights from the first process to all others."""
        tensors = [*network.buffers()] if buffers_only else [*network.buffers(), *network.parameters()]
        for tensor in tensors if self.world_size > 1 else ():
            dist.broadcast(tensor.data, 0)

    def average_running_statistics(self, network: nn.Module) -> None:
        """Average the running statistics of batch norm over the processes, so that those of the whole batch count.

        Layers in evaluation mode keep theirs.
        """
        modules = [module for module in network.modules() if module.training] if self.world_size > 1 else []
        buffers = [buffer for module in modules for buffer in module.named_buffers(recurse=False)]
        values = [value for name, value in buffers if name in {"running_mean", "running_var"}]
        if not values:
            return
        joined = torch.cat(values)  # one message instead of two a layer
        dist.all_reduce(joined)
        for value, mean in zip(values, (joined / self.world_size).split([len(each) for each in values]), strict=True):
            value.copy_(mean)

    def parallel(self, network: Network) -> Network | nn.parallel.DistributedDataParallel:
        """Return the network with gradients that are averaged over the processes; with one process, the network."""
        if self.world_size == 1:
            return network
        # Without a search for unused parameters, DDP would group the gradients anew after the first step, which changes
        # the order of their sums, and a training that is resumed would not end with the same bits.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch 2.14 renames broadcast_buffers, 2.10 has no other
            return nn.parallel.DistributedDataParallel(network, broadcast_buffers=False, find_unused_parameters=True)

    def barrier(self) -> None:
        """Wait until all processes are here, since torchrun ends all when one fails, also at its exit."""
        if self.world_size > 1:
            dist.barrier()

    def _flag(self, value: bool) -> Tensor:
        """Return a value as a tensor on a device of which the backend sends tensors."""
        device = torch.device("cuda", self.local_rank) if dist.get_backend() == "nccl" else torch.device("cpu")
        return torch.tensor([value], dtype=torch.uint8, device=device)


SINGLE = Ranks()
"""One process."""


def from_environment() -> Ranks:
    """Return the processes that torchrun has started, by its environment variables; one without it."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(os.environ.get(name, "").isdecimal() for name in names):
        return SINGLE
    return Ranks(*(int(os.environ[name]) for name in names))


@contextmanager
def join(device: str) -> Iterator[Ranks]:
    """Connect the processes that torchrun has started, until the block ends; yield one process without torchrun.

    What was built for the training must be out of scope at the end of the block.

    Args:
        device: the setting compute.device.

    Raises:
        SettingError: the device is one for all, or a process has no GPU of its own.
    """
    ranks = from_environment()
    if ranks.world_size == 1:
        yield ranks
        return
    try:
        has_gpus = device != "cpu" and torch.cuda.is_available()
        _require_devices(ranks, device, has_gpus)
        if has_gpus:
            torch.cuda.set_device(ranks.local_rank)
        dist.init_process_group("nccl" if has_gpus else "gloo", timeout=TIMEOUT)
        try:
            yield ranks
        finally:
            gc.collect()  # networks that use the connection, whose threads would otherwise outlive the interpreter
            dist.destroy_process_group()
    except ModisteError as error:
        if ranks.is_first:
            raise
        if isinstance(error, Stopped):  # torchrun, where it has passed the signal on, waits for all processes
            raise SystemExit(error.exit_code) from None
        _wait_to_be_ended()
        raise


def _wait_to_be_ended() -> None:
    """Let torchrun end this process, without a word, while the first one prints the error of all."""
    try:
        time.sleep(SAME_ERROR_SECONDS)
    except KeyboardInterrupt:
        raise SystemExit(128 + SIGTERM) from None


def _require_devices(ranks: Ranks, device: str, has_gpus: bool) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        raise SettingError(f"compute.device is {device!r}, but torchrun gives each process its own. Leave it at auto.")
    if has_gpus and ranks.local_rank >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingError(
            f"There are {count} GPUs here, fewer than processes. Start them with torchrun --nproc-per-node {count}, or "
            "train with --device cpu."
        )


def is_lost_connection(error: Exception) -> bool:
    """Return whether an error is that of a collective operation, of which another process has ended."""
    if isinstance(error, dist.DistError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in text for word in ("gloo", "nccl", "connection closed"))


def describe_lost_connection(run_path: str) -> InputError:
    """Return the error for a training of which another process has ended."""
    return InputError(
        "Another process of this training has ended. Resume with the same torchrun options and: -m modiste train "
        f"--resume {run_path}"
    )
