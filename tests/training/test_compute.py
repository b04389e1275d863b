"""What a training runs on."""

import pytest
import torch

from modiste.recipes.recipe import Compute
from modiste.training import compute

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.float32),
        ({"architecture": "x86_64"}, torch.float32),
        ({"bf16": True}, torch.bfloat16),
    ],
)
def test_bf16_is_taken_where_matrix_units_make_it_faster(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, object], expected: torch.dtype
) -> None:
    """AVX-512 has instructions for bf16 that are slower than fp32's."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert compute.precision(Compute(), CPU) == expected


def test_a_recipe_may_say_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where nothing makes it fast."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert compute.precision(Compute(precision="bf16"), CPU) == torch.bfloat16
