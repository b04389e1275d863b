"""Numbers as text."""

import pytest

from modiste.reporting import formatting
from modiste.reporting.statements import describe_trainings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.format_percent(0.92424), "92.42%"),
        (formatting.abbreviate_number(0.5), "0.5"),
        (formatting.abbreviate_number(24_272), "24.3K"),
        (formatting.abbreviate_number(999_499), "999K"),
        (formatting.abbreviate_number(999_500), "1M"),
        (formatting.format_percent_number(0.92424), "92.4"),
        (formatting.format_interval((0.9188, 0.9292)), "91.88 to 92.92"),
        (formatting.format_interval((0.9188, 0.9292), "至"), "91.88 至 92.92"),
        (formatting.format_half_width((0.93, 0.9324)), "±0.12"),
        (formatting.format_half_width((0.0, 0.974)), "0.00 to 97.40"),
    ],
)
def test_numbers_are_rounded_in_one_way(text: str, expected: str) -> None:
    """Percentages, counts, intervals and half-widths."""
    assert text == expected


def test_a_missing_number_is_a_hyphen() -> None:
    """In each of the formats."""
    formatters = (
        formatting.format_percent,
        formatting.format_percent_number,
        formatting.format_interval,
        formatting.format_half_width,
    )
    assert [formatter(None) for formatter in formatters] == ["-"] * 4


def test_an_interval_without_width_is_a_hyphen() -> None:
    """Seeds of the same accuracy do not show that others have it, too."""
    assert formatting.format_interval((0.5, 0.5)) == formatting.format_half_width((0.5, 0.5)) == "-"
    assert describe_trainings([0.5, 0.5]).startswith("All 2 seeds have the same accuracy")
