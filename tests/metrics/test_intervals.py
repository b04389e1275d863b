"""Intervals of accuracies."""

import pytest

from modiste.metrics import intervals


def test_wilson_is_the_published_figure() -> None:
    """At 92.5 % of 10,000 images the 95 % interval reaches 0.52 points to either side."""
    low, high = intervals.wilson_interval(9250, 10_000)
    assert (high - low) / 2 == pytest.approx(0.0052, abs=5e-5)
    assert low < 0.925 < high


@pytest.mark.parametrize("right", [0, 10])
def test_wilson_stays_between_0_and_1(right: int) -> None:
    """None or all right still gives an interval inside 0 to 1 that is not a point."""
    low, high = intervals.wilson_interval(right, 10)
    assert 0 <= low < high <= 1


def test_one_seed_has_no_interval_of_seeds() -> None:
    """One value says nothing of the spread."""
    assert intervals.t_interval([0.93]) is None
    assert intervals.summarize([0.93], 100)["sd"] is None


def test_student_is_the_textbook_interval() -> None:
    """Of 1, 2, 3 the mean is 2 and the reach 4.303 standard errors."""
    assert intervals.t_interval([1, 2, 3]) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)


def test_equal_values_give_a_point() -> None:
    """Seeds that all agree have an interval without width."""
    assert intervals.t_interval([0.5, 0.5]) == (0.5, 0.5)


def test_more_seeds_do_not_narrow_the_interval_of_images() -> None:
    """The images are the same ones, however many seeds were judged on them."""
    one, three = intervals.summarize([0.9], 1000), intervals.summarize([0.9, 0.91, 0.89], 1000)
    assert one["interval_images"] == three["interval_images"]
