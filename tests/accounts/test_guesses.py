"""Wrong passwords for one account, from however many addresses."""

from typing import Any

import pytest

from makerlog.accounts import guesses
from makerlog.accounts.models import Maker
from makerlog.jobs.models import Job
from moderation import watching
from tests.jobs.queue import run_jobs
from tests.makers import anonymous, make_maker

pytestmark = pytest.mark.django_db

PASSWORD, WRONG = "correct horse", "battery staple"


@pytest.fixture
def alice() -> Maker:
    maker = make_maker("alice")
    maker.set_password(PASSWORD)
    maker.save()
    return maker


def guess(name: str = "alice", times: int = 31, password: str = WRONG) -> list[int]:
    """Each from an address of its own."""
    sent = {"username": name, "password": password}
    return [
        anonymous().post("/api-token-auth/", sent, REMOTE_ADDR=f"9.9.{number // 250}.{number % 250}").status_code
        for number in range(times)
    ]


def test_the_owner_of_an_account_whose_password_is_guessed_is_told_once_a_day(alice: Maker, mailoutbox: Any) -> None:
    guess(times=30)
    run_jobs()
    assert mailoutbox == []
    guess(times=10)
    run_jobs()
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["alice@example.com"], "Makerlog: Somebody guesses your password")
    ]


def test_nobody_is_locked_out_by_guesses(alice: Maker) -> None:
    guess(times=40)
    assert guess(times=1, password=PASSWORD) == [200]


def test_the_staff_are_told_of_guesses(alice: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(watching.alerts, "hear", lambda kind, sentence: heard.append((kind, sentence)))
    assert watching.alert_of_guesses in guesses.listeners
    guess()
    assert [kind for kind, _ in heard] == ["password guesses"]
    assert f"maker:{alice.pk}" in heard[0][1]


def test_a_name_that_nobody_has_is_counted_alike_and_mails_nobody(mailoutbox: Any) -> None:
    assert set(guess("nobody")) == {400}
    assert Job.objects.count() == 1
    run_jobs()
    assert mailoutbox == []


def test_a_password_that_is_right_costs_no_count(alice: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "stand", lambda charge: pytest.fail("it was counted"))
    assert guess(times=1, password=PASSWORD) == [200]
