"""Figures as text."""

import pytest

from modiste.evaluation import written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (written.percent(0.92424), "92.42%"),
        (written.count(0.5), "0.5"),
        (written.count(24_272), "24.3K"),
        (written.count(999_499), "999K"),
        (written.count(999_500), "1M"),
        (written.tenths(0.92424), "92.4"),
        (written.reach((0.9188, 0.9292)), "91.88 to 92.92"),
        (written.reach((0.9188, 0.9292), "至"), "91.88 至 92.92"),
        (written.half_width((0.93, 0.9324)), "±0.12"),
    ],
)
def test_figures_have_one_form(text: str, expected: str) -> None:
    """Each kind of figure is rounded in one way, whoever tells it."""
    assert text == expected


def test_what_is_not_known_is_a_hyphen() -> None:
    """A figure that nobody has is said to be missing."""
    kinds = (written.percent, written.tenths, written.reach, written.half_width)
    assert [kind(None) for kind in kinds] == ["-"] * 4
