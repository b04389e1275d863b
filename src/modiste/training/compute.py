"""What a training runs on: device, threads, precision, memory."""

import ctypes
import sys

import torch

from modiste.errors import SettingError
from modiste.recipes.recipe import Compute

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEEP = 1 << 30
KEPT_BY_OLDER = 1 << 25
"""The most that an older glibc takes; were it refused too, every larger tensor would be mapped anew at each step."""


def device(options: Compute) -> torch.device:
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


def precision(options: Compute, where: torch.device) -> torch.dtype:
    """Return what networks compute in: bf16 where the processor has matrix units for it, unless the recipe says.

    AVX-512's bf16 is left alone: on the one processor with it that was measured (a Xeon without AMX), matrix products
    and convolutions ran at 0.53 to 0.63 times the speed of fp32, a step of training at 0.67.
    """
    if options.precision == "auto":
        return torch.bfloat16 if _has_bf16(where) else torch.float32
    return torch.bfloat16 if options.precision == "bf16" else torch.float32


def prepare(options: Compute) -> None:
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
    return any(has[name] is True for name in has if name.endswith("bf16") and not name.startswith("avx"))
