"""What a training runs on."""

import time

import pytest
import torch

from modiste.training import compute

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("has", "slower", "expected"),
    [
        ({"avx512_bf16": True}, torch.float32, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16, torch.float32),
        ({"bf16": True}, torch.float32, torch.bfloat16),
        ({"architecture": "x86_64", "avx2": True}, torch.float32, torch.float32),
    ],
)
def test_bf16_is_taken_where_the_processor_has_it_and_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, object], slower: torch.dtype, expected: torch.dtype
) -> None:
    """A processor that has instructions for it may still be slower with them."""
    compute.bf16_is_faster.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(compute, "_convolution_seconds", lambda dtype: 2.0 if dtype == slower else 1.0)
    assert compute.precision("auto", CPU) == expected
    compute.bf16_is_faster.cache_clear()


def test_the_measurement_itself_takes_little_time() -> None:
    """It is paid by every training on such a processor."""
    compute.bf16_is_faster.cache_clear()
    started = time.perf_counter()
    compute.bf16_is_faster(CPU)
    assert time.perf_counter() - started < 3


def test_a_recipe_may_say_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where nothing makes it fast."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert compute.precision("bf16", CPU) == torch.bfloat16
