"""What tests of moderation share."""

from collections.abc import Iterator

import pytest

from moderation.models import Ban, Lockdown, RouteSwitch
from moderation.standing import watcher


@pytest.fixture
def nothing_stands(db: None) -> Iterator[None]:
    """What stands in memory is the process's own: it must not remember what another test's database held."""
    watcher.version = None
    watcher.catch_up()
    yield
    Ban.objects.all().delete()
    RouteSwitch.objects.all().delete()
    Lockdown.objects.all().delete()
    watcher.version = None
    watcher.catch_up()
