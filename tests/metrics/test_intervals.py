"""Intervals of accuracies."""

import numpy as np
import pytest

from modiste.metrics import intervals


def test_wilson_is_the_published_figure() -> None:
    """At 92.5 % of 10,000 images the 95 % interval has a half-width of 0.52 points."""
    low, high = intervals.wilson_interval(9250, 10_000)
    assert (high - low) / 2 == pytest.approx(0.0052, abs=5e-5)
    assert low < 0.925 < high


@pytest.mark.parametrize("correct", [0, 10])
def test_wilson_stays_between_0_and_1(correct: int) -> None:
    """With no or all images correct it is within 0 to 1 and not a point."""
    low, high = intervals.wilson_interval(correct, 10)
    assert 0 <= low < high <= 1


def test_groups_of_equal_images_count_as_one_image_each() -> None:
    """40 people with 25 equal photos each have an interval of 40 images, five times as wide as that of 1,000."""
    correct, groups = np.repeat(np.arange(40) < 32, 25), np.repeat(np.arange(40), 25)
    low, high = intervals.cluster_interval(correct, groups)
    assert (low, high) == pytest.approx(intervals.wilson_interval(32, 40), abs=0.03)
    assert intervals.is_approximate(groups[: 29 * 25])
    assert not intervals.is_approximate(groups)


def test_groups_of_one_image_have_the_interval_of_images() -> None:
    """The interval over single images is close to Wilson's interval."""
    correct = np.arange(400) < 300
    interval = intervals.cluster_interval(correct, np.arange(400))
    assert interval == pytest.approx(intervals.wilson_interval(300, 400), abs=0.01)
    assert intervals.accuracy_interval(correct, None) == intervals.wilson_interval(300, 400)


@pytest.mark.parametrize(
    ("correct", "groups", "expected"),
    [
        ([True] * 10, [0, 1, 2, 3, 4] * 2, intervals.wilson_interval(5, 5)),
        ([False] * 10, [5, 6, 7, 8, 9] * 2, intervals.wilson_interval(0, 5)),
        ([True] * 5 + [False] * 10, [0, 1, 2, 3, 4] * 3, intervals.wilson_interval(2, 5)),
        ([True] * 6 + [False] * 12, [0, 1] * 9, None),
        ([True] * 4 + [False] * 4, [0, 1, 2, 3] * 2, None),
        ([True, False], [3, 3], None),
    ],
)
def test_an_interval_over_few_groups_has_a_width(
    correct: list[bool], groups: list[int], expected: tuple[float, float] | None
) -> None:
    """Also with all or no images correct, or the same share in each group; with fewer than five there is none."""
    assert intervals.cluster_interval(np.array(correct), np.array(groups)) == expected


def test_a_large_group_widens_the_interval() -> None:
    """50 people with one photo each, and one with 200: half of the images of 51 groups, or of 250 independent ones."""
    groups = np.concatenate([np.arange(50), np.full(200, 50)])
    correct = np.arange(250) % 4 > 0
    correct[50:] = True
    low, high = intervals.cluster_interval(correct, groups)
    assert high - low > 2 * np.subtract(*intervals.wilson_interval(int(correct.sum()), 250)[::-1])


def test_the_jackknife_of_groups_of_one_image_is_the_standard_error_of_a_mean() -> None:
    """Its degrees of freedom are between a third of the groups and their number less one."""
    values = np.random.default_rng(0).normal(size=(3, 50))
    mean, standard_error, freedom = intervals.estimate_ratio(values, np.ones((3, 50)))
    assert mean == pytest.approx(values.mean(1))
    assert standard_error == pytest.approx(values.std(1, ddof=1) / 50**0.5)
    assert ((freedom > 10) & (freedom < 49)).all()


def test_the_combined_interval_is_wider_than_both() -> None:
    """It adds the variance of the test images to that of the seeds; one seed has that of the images alone."""
    accuracies = (0.93, 0.932, 0.934)
    low, high = intervals.combined_interval(accuracies, 10_000)
    for inner_low, inner_high in (intervals.t_interval(accuracies), intervals.wilson_interval(9320, 10_000)):
        assert low < inner_low < inner_high < high
    assert intervals.combined_interval((0.93,), 100) == intervals.wilson_interval(93, 100)
    assert intervals.combined_interval((0.93, 0.93), 100) == intervals.wilson_interval(93, 100)


def test_one_seed_has_no_interval_of_seeds() -> None:
    """One value has no spread."""
    assert intervals.t_interval([0.93]) is None
    assert intervals.summarize([0.93], 100)["sd"] is None


def test_the_t_interval_of_1_2_3() -> None:
    """The mean is 2 and the half-width 4.303 standard errors."""
    assert intervals.t_interval([1, 2, 3]) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)


def test_equal_values_have_an_interval_without_width() -> None:
    """All seeds have the same accuracy."""
    assert intervals.t_interval([0.5, 0.5]) == (0.5, 0.5)


def test_an_interval_of_accuracies_stays_between_0_and_1() -> None:
    """Without clipping, 22 % and 33 % have an interval of -44 to 99 %."""
    assert intervals.t_interval([0.22, 0.33])[0] < 0
    assert intervals.summarize([0.22, 0.33], 100)["interval_seeds"] == (0.0, pytest.approx(0.974, abs=1e-3))
    assert intervals.summarize([0.95, 0.99], 100)["interval_seeds"][1] == 1


def test_more_seeds_do_not_narrow_the_interval_of_images() -> None:
    """All seeds are evaluated on the same images."""
    one, three = intervals.summarize([0.9], 1000), intervals.summarize([0.9, 0.91, 0.89], 1000)
    assert one["interval_images"] == three["interval_images"]
    assert intervals.summarize([0.9], 1000, has_groups=True)["interval_images"] is None
