"""LOG_FORMAT=LINE: what a client sends stays within its line."""

import io
import logging
from collections.abc import Iterator

import pytest

from makerlog import settings

FORGED = "\n2026-11-30 12:00:00,000 ERROR makerlog.gate: all is lost"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """What a logger of its own prints, formatted as the settings say."""
    from makerlog.api.log_lines import LineFormatter

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(settings.LOGGING["formatters"]["LINE"]["format"]))
    logger = logging.getLogger("tests.lines")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x1b[2K", "\x85", "\u2028", "\x00"])
def test_no_message_has_a_line_end_or_a_control_character(end: str, output: io.StringIO) -> None:
    logging.getLogger("tests.lines").warning("GET %s", f"/{end}forged")
    [line] = output.getvalue().splitlines()
    assert line.isprintable()
    assert line.endswith("forged")


def test_no_line_of_a_traceback_looks_like_a_record(output: io.StringIO) -> None:
    try:
        raise ValueError(f"bad{FORGED}\r{FORGED}")
    except ValueError:
        logging.getLogger("tests.lines").exception("It failed")
    first, *rest = output.getvalue().splitlines()
    assert first.endswith("It failed")
    assert all(line.startswith("    ") for line in rest)
    assert rest[1].startswith('      File "')
