"""Figures as text, the same in a terminal and on a page; a hyphen where there is none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # these few lines are no reason to load scipy
    from modiste.metrics.intervals import Interval


def format_count(value: float) -> str:
    """A number in three digits: `0.5`, `24.3K`, `16.8M`."""
    for size, letter in ((1e6, "M"), (1e3, "K")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def format_percent(share: float | None) -> str:
    """A share in per cent with its sign: `92.42%`."""
    return "-" if share is None else f"{share:.2%}"


def format_percent_number(share: float | None) -> str:
    """A share in per cent, one place, for a column that says so: `92.4`."""
    return "-" if share is None else f"{100 * share:.1f}"


def format_interval(interval: "Interval | None", to: str = "to") -> str:
    """Both ends of an interval in per cent: `91.88 to 92.92`."""
    return "-" if interval is None else f"{100 * interval[0]:.2f} {to} {100 * interval[1]:.2f}"


def format_half_width(interval: "Interval | None") -> str:
    """How far an interval reaches to either side of its middle, in points: `±0.12`."""
    return "-" if interval is None else f"±{50 * (interval[1] - interval[0]):.2f}"
