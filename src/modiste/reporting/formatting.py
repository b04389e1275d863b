"""Figures as text, the same in a terminal and on a page; a hyphen where there is none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # intervals load scipy
    from modiste.metrics.intervals import Interval


def abbreviate_number(value: float) -> str:
    """Format a number in three digits: `0.5`, `24.3K`, `16.8M`."""
    for size, letter in ((1e6, "M"), (1e3, "K")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def format_count(count: int, noun: str) -> str:
    """Format a number with its noun: `1 image`, `10,000 images`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def format_percent(fraction: float | None) -> str:
    """Format a fraction as a percentage: `92.42%`."""
    return "-" if fraction is None else f"{fraction:.2%}"


def format_percent_number(fraction: float | None) -> str:
    """Format a fraction as a percentage with one digit and without sign, for a column whose title has it: `92.4`."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def format_interval(interval: "Interval | None", to: str = "to") -> str:
    """Format the ends of an interval of fractions as percentages without sign: `91.88 to 92.92`.

    One without width, as of seeds with the same accuracy, says nothing about others, so it is a hyphen, too.
    """
    if interval is None or interval[0] == interval[1]:
        return "-"
    return f"{100 * interval[0]:.2f} {to} {100 * interval[1]:.2f}"


def format_approximate(is_approximate: bool) -> str:
    """Mark an interval that covers less than it says; empty for any other."""
    return " (approximate)" * is_approximate


def format_half_width(interval: "Interval | None", to: str = "to") -> str:
    """Format the half-width of an interval in percentage points: `±0.12`; its ends where it was clipped to 0 or 1."""
    if interval is None or interval[0] <= 0 or interval[1] >= 1 or interval[0] == interval[1]:
        return format_interval(interval, to)
    return f"±{50 * (interval[1] - interval[0]):.2f}"


def format_loss(loss: float | None) -> str:
    """Format a loss or a Brier score with four decimals: `0.2131`."""
    return "-" if loss is None else f"{loss:.4f}"


def format_p_value(p_value: float | None) -> str:
    """Format a p-value with two significant digits: `0.031`, `<0.001`."""
    return "-" if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.2g}"
