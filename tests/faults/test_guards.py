"""The tables of guards, which `run_guards.py` takes away in turn."""

import pytest

from faults.run_guards import Guard, read_guards

GUARDS = read_guards()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.fault:02} {guard.title}")
def test_a_guard_and_its_test_exist(guard: Guard) -> None:
    """The line of the guard occurs once in its file, and the test is in its module."""
    assert guard.is_current
    assert guard.old != guard.new


@pytest.mark.parametrize("fault", range(1, 46))
def test_every_fault_has_a_guard_and_a_test_of_its_number(fault: int) -> None:
    """As `pytest -k fault_07` runs."""
    assert [guard for guard in GUARDS if guard.fault == fault and f"::test_fault_{fault:02}_" in guard.test]
