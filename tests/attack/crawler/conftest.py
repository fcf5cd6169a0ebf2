"""What a crawl showed, at the end of the run."""

from typing import Any

import pytest

REPORTS = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for report in config.stash.get(REPORTS, []):
        terminalreporter.write_line(f"crawler: {report}")
