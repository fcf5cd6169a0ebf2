"""Mail is posted after the commit, off the request's thread, and its failure loses nothing else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from makerlog.accounts import emails


@pytest.fixture
def postman(monkeypatch: pytest.MonkeyPatch) -> Any:
    with ThreadPoolExecutor(1) as executor:
        monkeypatch.setattr(emails, "postman", executor)
        yield executor


@pytest.mark.django_db
def test_nothing_is_posted_before_the_commit(committed: Any, mailoutbox: Any) -> None:
    with committed():
        emails.send("alice@example.com", "Hello", "text")
        assert mailoutbox == []
    assert [mail.subject for mail in mailoutbox] == ["Makerlog: Hello"]


@pytest.mark.django_db
def test_a_maker_without_an_address_is_sent_nothing(committed: Any, mailoutbox: Any) -> None:
    with committed():
        emails.send("", "Hello", "text")
    assert mailoutbox == []


def test_a_mail_server_that_hangs_holds_nobody(postman: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, posted = threading.Event(), []

    def hang(*args: Any) -> None:
        hanging.wait(5)
        posted.append(args)

    monkeypatch.setattr(emails, "send_mail", hang)
    monkeypatch.setattr(emails, "waiting", threading.BoundedSemaphore(2))
    began = time.monotonic()
    for _ in range(3):
        emails.hand_over("alice@example.com", "Hello", "text")
    assert time.monotonic() - began < 1
    hanging.set()
    postman.shutdown()
    assert len(posted) == 2


def test_a_mail_that_fails_makes_room_for_the_next(postman: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(emails, "send_mail", refuse)
    monkeypatch.setattr(emails, "waiting", threading.BoundedSemaphore(1))
    emails.hand_over("alice@example.com", "Hello", "text")
    postman.shutdown()
    assert emails.waiting.acquire(blocking=False)
