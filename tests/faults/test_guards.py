"""The tables of guards, which `run_guards.py` takes away in turn."""

import pytest

from faults.run_guards import Guard, read_guards

FAULTS = {*range(1, 26), 32, 33, 34, 39, 41, 42, 44} - {14, 19}
"""Whose guards are in `guards.toml`; 14 and 19 apply once there are batches of tensors in requests."""


@pytest.mark.parametrize("guard", read_guards(), ids=lambda guard: f"{guard.fault:02} {guard.title}")
def test_a_guard_and_its_test_exist(guard: Guard) -> None:
    """The line of the guard occurs once in its file, and the test is in its module."""
    assert guard.is_current
    assert guard.old != guard.new


def test_every_fault_has_a_guard() -> None:
    """Of those that photos, requests and the service can have."""
    assert {guard.fault for guard in read_guards()} >= FAULTS
