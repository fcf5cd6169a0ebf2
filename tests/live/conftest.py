"""Real sockets on a real service; what is told is committed."""

from collections.abc import Iterator

import pytest

from tests.live.serving import Live, live


@pytest.fixture
def service(transactional_db: None) -> Iterator[Live]:
    with live() as service:
        yield service
