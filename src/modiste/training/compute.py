"""What a training runs on: device, threads, precision, memory."""

import ctypes
import math
import sys
import time
from functools import cache
from typing import Any

import torch

from modiste.errors import SettingError
from modiste.recipes.recipe import ComputeConfig

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
TRIALS = 3
KEEP = 1 << 30
KEPT_BY_OLDER = 1 << 25
"""The most that an older glibc takes; were it refused too, every larger tensor would be mapped anew at each step."""


def device(options: ComputeConfig) -> torch.device:
    """Return the device the recipe asks for.

    Raises:
        SettingError: there is no such device.
    """
    if options.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu", "cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if options.device not in here or (options.device == "cuda" and not torch.cuda.is_available()):
        raise SettingError(f"There is no device {options.device!r} here. Take cpu, or leave compute.device out.")
    return torch.device(options.device)


def precision(asked: str, where: torch.device) -> torch.dtype:
    """Return what networks compute in, asked for auto, fp32 or bf16; auto is bf16 where that is faster."""
    if asked == "auto":
        return torch.bfloat16 if _has_bf16(where) and bf16_is_faster(where) else torch.float32
    return torch.bfloat16 if asked == "bf16" else torch.float32


@cache
def bf16_is_faster(where: torch.device) -> bool:
    """Time a convolution with its gradients in both precisions, in turns, best of three: a tenth of a second.

    What a processor says it has does not tell: of two with AVX-512's bf16, one trained in 0.8 of the time of fp32, the
    other in 1.5 times of it.
    """
    if where.type == "cuda":
        return True
    seconds = {torch.float32: math.inf, torch.bfloat16: math.inf}
    for _ in range(1 + TRIALS):  # the first also compiles
        for dtype, best in seconds.items():
            seconds[dtype] = min(best, _convolution_seconds(dtype))
    return seconds[torch.bfloat16] < seconds[torch.float32]


def describe(where: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What a training ran on, for its records: `device`, `threads` and `precision`."""
    return {
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "precision": "bf16" if dtype == torch.bfloat16 else "fp32",
    }


def prepare(options: ComputeConfig) -> None:
    """Set the number of threads, and keep freed memory for the next step instead of giving it back to the system.

    Giving it back costs a page fault for every 4 KiB of every large tensor of every step: 10 % of an epoch.
    """
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32, above all for scores
    if options.threads:
        torch.set_num_threads(options.threads)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc; musl has none
            if not libc.mallopt(M_MMAP_THRESHOLD, KEEP):
                libc.mallopt(M_MMAP_THRESHOLD, KEPT_BY_OLDER)
            libc.mallopt(M_TRIM_THRESHOLD, KEEP)


def _has_bf16(where: torch.device) -> bool:
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has = torch.cpu.get_capabilities()
    return any(has[name] is True for name in has if name.endswith("bf16"))


def _convolution_seconds(dtype: torch.dtype) -> float:
    """One 3 x 3 convolution of 32 channels over a small batch, with the gradients of both its inputs."""
    layer = torch.nn.Conv2d(32, 32, 3, padding=1, dtype=dtype).to(memory_format=torch.channels_last)
    images = torch.ones(16, 32, 14, 14, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    started = time.perf_counter()
    layer(images).sum().backward()
    return time.perf_counter() - started
