"""Device and precision of a training."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle

import pytest
import torch

from modiste.training import compute

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "bf16_seconds", "expected"),
    [
        ({"avx512_bf16": True}, 0.8, torch.bfloat16),
        ({"bf16": True}, 0.8, torch.bfloat16),
        ({"avx512_bf16": True}, 0.9, torch.float32),
        ({"avx512_bf16": True}, 1.5, torch.float32),
        ({"architecture": "x86_64", "avx2": True}, 0.5, torch.float32),
    ],
)
def test_auto_is_bf16_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, object], bf16_seconds: float, expected: torch.dtype
) -> None:
    """The processor must support bf16, and bf16 must save more than 15 % of the time of fp32."""
    seconds = {torch.float32: 1.0, torch.bfloat16: bf16_seconds}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(compute, "_convolution_seconds", seconds.__getitem__)
    assert compute.resolve_precision("auto", CPU) == expected


def test_slow_trials_do_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the trials of bf16 take four times as long, and the first ones of both compile."""
    trials: dict[torch.dtype, Iterator[float]] = {
        torch.float32: iter([9.0, 9.0, *[1.0] * compute.TRIALS]),
        torch.bfloat16: cycle([2.8, 0.7, 0.7]),
    }
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"bf16": True})
    monkeypatch.setattr(compute, "_convolution_seconds", lambda precision: next(trials[precision]))
    assert compute.choose_precision(CPU) == "bf16"


def test_busy_processes_do_not_change_the_choice() -> None:
    """Five measurements beside two busy processes agree within 25 %."""
    threads = torch.get_num_threads()
    busy = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(2)]
    try:
        ratios = [compute.bf16_time_ratio() for _ in range(5)]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert max(ratios) < 1.25 * min(ratios)
    assert torch.get_num_threads() == threads


def test_the_measurement_takes_little_cpu_time() -> None:
    """Every training with `precision=auto` measures."""
    started = time.process_time()
    compute.choose_precision(CPU)
    assert time.process_time() - started < 3


def test_a_recipe_may_set_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 is used even where it is not fast."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert compute.resolve_precision("bf16", CPU) == torch.bfloat16


def test_a_missing_device_is_refused() -> None:
    """The error lists the devices that exist."""
    with pytest.raises(compute.SettingError, match=r"no device 'tpu' here. Choose one of cpu"):
        compute.resolve_device(compute.ComputeConfig(device="tpu"))
