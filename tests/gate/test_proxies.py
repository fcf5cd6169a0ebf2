"""The lists of proxies follow their files, and nothing that cannot be used is ever in force."""

import ipaddress
from pathlib import Path

import pytest

from makerlog.env import Environment, Networks, SettingError
from makerlog.gate.proxies import Follower
from tests.gate.serving import until

ONE, TWO = ipaddress.ip_network("173.245.48.0/20"), ipaddress.ip_network("2400:cb00::/32")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "cdn"
    path.write_text(f"{ONE}\n")
    return path


def read(path: Path) -> Networks:
    return Environment({"CDN_RANGES_FILE": str(path)}).networks("CDN_RANGES")


def followed(ranges: Networks) -> bool:
    """After two looks."""
    return ranges.follow() or ranges.follow()


def test_a_file_has_commas_lines_and_comments(written: Path) -> None:
    written.write_text(f"# of the CDN\n{ONE}, {TWO}  # both\n\n10.0.0.1\n")
    assert list(read(written)) == [ONE, TWO, ipaddress.ip_network("10.0.0.1/32")]


def test_who_holds_the_list_sees_what_the_file_says_now(written: Path) -> None:
    ranges = read(written)
    held = ranges
    written.write_text(f"{ONE}\n{TWO}\n")
    assert followed(ranges)
    assert list(held) == [ONE, TWO]
    assert len(held) == 2
    assert not followed(ranges)


def test_a_file_that_is_still_being_written_is_not_believed_yet(written: Path) -> None:
    ranges = read(written)
    written.write_text("2400:cb00::/3")
    assert not ranges.follow()
    written.write_text(f"{TWO}\n")
    assert not ranges.follow()
    assert list(ranges) == [ONE]
    assert ranges.follow()
    assert list(ranges) == [TWO]


@pytest.mark.parametrize(
    ("text", "said"),
    [("10.0.0.1/8", "CDN_RANGES holds '10.0.0.1/8', which is not"), ("<html>", "'<html>'"), ("", "is empty now")],
)
def test_what_cannot_be_used_changes_nothing_and_is_said_once(
    written: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    ranges = read(written)
    follower = Follower([ranges])
    written.write_text(text)
    for _ in range(5):
        follower.look(ranges)
    assert list(ranges) == [ONE]
    [record] = caplog.records
    assert said in record.message
    assert f"Still in force: {ONE}" in record.message
    written.write_text(str(TWO))
    for _ in range(2):
        follower.look(ranges)
    assert list(ranges) == [TWO]


def test_a_file_that_is_gone_changes_nothing(written: Path) -> None:
    ranges = read(written)
    written.unlink()
    with pytest.raises(SettingError, match="cannot be read"):
        ranges.follow()
    assert list(ranges) == [ONE]


def test_the_variable_itself_stands_before_the_file(written: Path) -> None:
    ranges = Environment({"CDN_RANGES": str(TWO), "CDN_RANGES_FILE": str(written)}).networks("CDN_RANGES")
    assert list(ranges) == [TWO]
    assert not followed(ranges)


def test_the_service_follows_by_itself(written: Path) -> None:
    ranges = read(written)
    follower = Follower([ranges], every=0.01)
    follower.start()
    try:
        written.write_text(str(TWO))
        until(lambda: list(ranges) == [TWO])
    finally:
        follower.stop()
