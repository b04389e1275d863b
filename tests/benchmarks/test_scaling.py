"""The simulation of large clusters: what it must give where the answer is known."""

import pytest
import scaling_simulation
from scaling_simulation import Assumptions, Work, simulate

EXACT = Assumptions(core_losses_per_hour=0.0, spread=0.0)


def test_equal_tasks_take_their_sum_over_the_cores() -> None:
    """Without losses and spread, and with a head node that does nothing."""
    result = simulate(Work(100, 36.0, 0.0), 10, EXACT)
    assert result.hours == pytest.approx(0.1)
    assert result.dollars == pytest.approx(0.1 * (10 * EXACT.core_hour + EXACT.head_hour))
    assert result.bound == "cores"


def test_the_head_node_bounds_what_needs_it() -> None:
    """However many cores there are."""
    results = [simulate(Work(1000, 10.0, 1.0), cores, EXACT) for cores in (100, 1000)]
    assert [result.bound for result in results] == ["head node", "head node"]
    assert all(result.hours * 3600 == pytest.approx(1000, rel=0.02) for result in results)


def test_fewer_places_than_cores_are_named() -> None:
    """As the command runs at most so many trials."""
    assert simulate(Work(100, 36.0, 0.0), 50, EXACT, max_parallel=10).bound == "trials in parallel"


def test_losses_cost_time() -> None:
    """Those of spot instances."""
    slow = Assumptions(core_losses_per_hour=6.0, lost_seconds=60.0, spread=0.0)
    assert simulate(Work(50, 3600.0, 0.0), 50, slow).hours > simulate(Work(50, 3600.0, 0.0), 50, EXACT).hours


def test_tables_follow_from_measured_figures() -> None:
    """A row for each size of a cluster, in each of them."""
    trials = {"seconds_per_trial": 60.0, "overhead_seconds_per_trial": 2.0, "run_bytes": 3e5, "reports_per_second": 1e3}
    photos = {"photo_bytes": 2500, "photos_per_second_per_core": 800.0}
    text = scaling_simulation.tables({"trials": trials, "photos": photos}, EXACT)
    assert text.count("| 4,096 |") == 3
