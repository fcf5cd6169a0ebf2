"""Mail that is delivered at once, and uploads in a folder of their own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.jobs.queue import run_jobs


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[[], AbstractContextManager[None]]:
    """``with committed():`` what waits for the commit happens at its end, jobs included."""

    @contextmanager
    def committing() -> Iterator[None]:
        with django_capture_on_commit_callbacks(execute=True):
            yield
        run_jobs()

    return committing


@pytest.fixture(autouse=True)
def _media(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
