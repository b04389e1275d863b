"""The check of the screenshots in `docs/`, which `make check-docs` runs."""

import pictures
import pytest


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("accuracy 95.7% on 10,000 images", True),
        ("accuracy 95.6% on 10,000 images", True),
        ("accuracy 93.9% on 10,000 images", False),
        ("accuracy 95.7% on 10,001 images", False),
        ("accuracy 95.7% of 10,000 images", False),
        ("accuracy 95.7%", False),
    ],
)
def test_a_stale_text_is_noticed(text: str, is_same: bool) -> None:
    """Other words, or a number that differs by more than the last digit of a probability."""
    assert pictures.is_same("accuracy 95.7% on 10,000 images", text) == is_same
