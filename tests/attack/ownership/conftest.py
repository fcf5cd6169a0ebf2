"""One world for a module, put back as it was after each request; and the line that says how much was tested."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.attack.ownership.matrix import COLUMNS, WRITES, Pair
from tests.attack.ownership.world import World, build
from tests.makers import Caller, refill

TESTED = pytest.StashKey[set[Pair]]()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _full_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each request: what is tested is who may, not how often."""
    ask = Caller.generic

    def generic(self: Caller, *args: Any, **kwargs: Any) -> Any:
        refill()
        return ask(self, *args, **kwargs)

    monkeypatch.setattr(Caller, "generic", generic)


@pytest.fixture(scope="session")
def tested(request: pytest.FixtureRequest) -> set[Pair]:
    """The pairs of a write and a role that were asked, for the summary."""
    return request.config.stash.setdefault(TESTED, set())


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if tested := config.stash.get(TESTED, None):
        wanted = {(write, role) for write in WRITES for role in COLUMNS}
        share = 100 * len(tested & wanted) // len(wanted)
        terminalreporter.write_line(f"ownership matrix: pairs tested: {len(tested & wanted)}, {share} %")
