"""The charts of accuracy over cost and over time in the documentation."""

import frontier
import pytest
from accuracy_over_time import plot_accuracy_over_time


@pytest.mark.parametrize(
    ("text", "number"), [("8.9M", 8.9e6), ("100K", 1e5), ("1602", 1602), ("<100K", None), ("", None)]
)
def test_numbers_of_the_leaderboard_are_parsed(text: str, number: float | None) -> None:
    """With M, with K, without; anything else is None."""
    assert frontier.parse_number(text) == pytest.approx(number)


def test_published_points_have_parameters_or_minutes() -> None:
    """They come from the leaderboard and from elsewhere; none is on v1 of the data."""
    points = frontier.published_points()
    assert points["ResNet-20, Random Erasing"] == (0.9555, 0.27e6, None)
    assert points["2 Conv ~113K parameters"].parameters == 113e3
    assert points["Shake-shake-26 2x96d, Cutout on a GTX 1080 Ti"].minutes == 1602
    assert "WRN40-4 8.9M parameters" not in points
    assert all(point.parameters or point.minutes for point in points.values())


def test_recipes_and_the_pareto_front_are_labeled() -> None:
    """Each panel shows the points whose cost is reported; all names are inside the figure."""
    recipes = {"small": frontier.Point(0.94, 25e3, 30.0)}
    published = {
        "beaten": frontier.Point(0.92, 2e5),
        "best": frontier.Point(0.93, 1e5),
        "slow": frontier.Point(0.96, None, 1600.0),
    }
    figure = frontier.plot_accuracy_over_cost(recipes, published | {"large": frontier.Point(0.95, 9e6)})
    labels = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert labels == [["best", "large", "small"], ["slow", "small"]]
    assert [[len(points.get_offsets()) for points in ax.collections] for ax in figure.axes] == [[3, 1], [1, 1]]
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert all(ax.bbox.x0 <= text.get_window_extent().x0 for text in ax.texts)
        assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in ax.texts)


def test_names_do_not_overlap() -> None:
    """The names of points that nearly touch, and of one at the edge, are inside the axes."""
    recipes = {f"{place} of four": frontier.Point(0.95 + place / 1e4, 1e6 + place, 100.0) for place in range(4)}
    figure = frontier.plot_accuracy_over_cost(recipes, {"the smallest": frontier.Point(0.9, 1e3, 1.0)})
    figure.draw_without_rendering()
    for ax in figure.axes:
        extents = [text.get_window_extent() for text in ax.texts]
        assert all(extent.count_overlaps(extents) == 1 for extent in extents)  # with itself
        assert all(ax.bbox.x0 < extent.x0 and extent.x1 < ax.bbox.x1 for extent in extents)


def test_methods_are_labeled_with_their_means() -> None:
    """The label of a method has its mean accuracy, its mean time in a suitable unit, and n."""
    figure = plot_accuracy_over_time({"quick": [(20.0, 0.92), (22.0, 0.93)], "slow": [(1200.0, 0.93)]})
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels == ["quick\n92.50% in 21 s, n = 2", "slow\n93.00% in 20 min, n = 1"]
    figure.draw_without_rendering()
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in figure.axes[0].texts)
