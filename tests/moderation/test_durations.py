"""Durations, as commands take them."""

from datetime import timedelta

import pytest

from moderation.durations import duration


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        (" 1d ", timedelta(days=1)),
    ],
)
def test_a_number_and_a_unit(text: str, found: timedelta) -> None:
    assert duration(text) == found


@pytest.mark.parametrize(
    "text", ["", "10", "h", "0m", "-1h", "1.5h", "1w", "2 h", "1h30m", "٣h", "9999d", "999999999999h"]
)
def test_anything_else_is_a_value_error_that_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        duration(text)
