"""What a training runs on: device, threads, precision, memory."""

import ctypes
import sys
import time
from statistics import median
from typing import Any

import torch

from modiste.errors import SettingError
from modiste.recipes.config import ComputeConfig

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt, from its malloc.h
FREED_BYTES = 1 << 30  # freed memory that is not returned to the system
MAX_OLD_GLIBC_BYTES = 1 << 25  # the most that older versions of glibc accept

WARMUP_TRIALS, TRIALS = 2, 25

MAX_BF16_TIME = 0.85
"""Of fp32's time: `auto` chooses bf16 only where it is clearly faster, so that noise does not decide."""


def resolve_device(options: ComputeConfig, local_rank: int | None = None, original: str = "") -> torch.device:
    """Return the device of a recipe; raises a SettingError for one that is not here.

    Args:
        options: its device; `auto` is CUDA where there is a GPU.
        local_rank: of one of several processes on a machine, which each have the GPU of that index.
        original: device that a resumed training was started on; where it was the CPU, `auto` is the CPU.
    """
    has_gpu = torch.cuda.is_available()
    device = "cpu" if options.device == "auto" and original == "cpu" else options.device
    if local_rank is not None and device in {"auto", "cuda"} and has_gpu:
        return torch.device("cuda", local_rank)
    if device == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    available = ["cpu", *(["cuda"] if has_gpu else [])]
    available += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if device not in available:
        raise SettingError(f"There is no device {device!r} here. Choose one of {', '.join(available)}.")
    return torch.device(device)


def choose_precision(device: torch.device) -> str:
    """Return "bf16" where it is measured to be clearly faster than fp32; having bf16 instructions is not enough."""
    if not _supports_bf16(device):
        return "fp32"
    return "bf16" if device.type == "cuda" or bf16_time_ratio() <= MAX_BF16_TIME else "fp32"


def bf16_time_ratio() -> float:
    """Measure the CPU time of a convolution with its gradients in bf16, as a multiple of that in fp32.

    By turns, on one thread and in CPU time, which other processes hardly change; the median of the ratios counts.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    bf16, fp32 = torch.bfloat16, torch.float32
    try:
        ratios = [_convolution_seconds(bf16) / _convolution_seconds(fp32) for _ in range(WARMUP_TRIALS + TRIALS)]
    finally:
        torch.set_num_threads(threads)
    return median(ratios[WARMUP_TRIALS:])


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the data type of a precision: "fp32", "bf16", or "auto", which measures the device."""
    chosen = choose_precision(device) if precision == "auto" else precision
    return torch.bfloat16 if chosen == "bf16" else torch.float32


def describe(device: torch.device, precision: torch.dtype) -> dict[str, Any]:
    """Return `device`, `threads` and `precision` for the records of a training."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "precision": "bf16" if precision == torch.bfloat16 else "fp32",
    }


def configure(options: ComputeConfig, recorded_threads: int) -> None:
    """Set the number of threads, that of the recipe or of an earlier start, and let malloc keep freed memory.

    To return it to the system costs a page fault for every 4 KiB of every large tensor of every step: 10 % of an epoch.
    """
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32, above all for scores
    if threads := options.threads or recorded_threads:
        torch.set_num_threads(threads)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc; musl has none
            if not libc.mallopt(M_MMAP_THRESHOLD, FREED_BYTES):
                libc.mallopt(M_MMAP_THRESHOLD, MAX_OLD_GLIBC_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, FREED_BYTES)


def _supports_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities[name] is True for name in capabilities if name.endswith("bf16"))


def _convolution_seconds(precision: torch.dtype) -> float:
    """CPU time of a 3 x 3 convolution of 32 channels over 16 feature maps, with the gradients of both its inputs."""
    layer = torch.nn.Conv2d(32, 32, 3, padding=1, dtype=precision).to(memory_format=torch.channels_last)
    features = torch.ones(16, 32, 14, 14, dtype=precision).to(memory_format=torch.channels_last).requires_grad_()
    started = time.thread_time()
    layer(features).sum().backward()
    return time.thread_time() - started
