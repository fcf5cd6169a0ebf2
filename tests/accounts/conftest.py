"""Quick hashes, where hashing is not the point (the slots stay), and mail that is posted at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from makerlog.accounts import emails
from makerlog.accounts.hashing import SlottedPBKDF2PasswordHasher


class PostedAtOnce:
    def submit(self, act: Callable[..., Any], *args: Any) -> None:
        act(*args)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlottedPBKDF2PasswordHasher, "iterations", 1)
    monkeypatch.setattr(emails, "postman", PostedAtOnce())


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Any:
    """``with committed():`` what waits for the commit happens at its end."""
    return partial(django_capture_on_commit_callbacks, execute=True)


@pytest.fixture(autouse=True)
def _media(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
