"""manage.py create_token"""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from makerlog.accounts.models import AccessToken
from makerlog.accounts.scopes import KNOWN_SCOPES, SCOPES
from tests.makers import anonymous, make_maker

pytestmark = pytest.mark.django_db


def create_token(*arguments: str) -> str:
    printed = io.StringIO()
    call_command("create_token", *arguments, stdout=printed)
    return printed.getvalue()


def test_it_prints_a_token_that_works_and_nothing_else() -> None:
    make_maker("Alice")
    printed = create_token("alice")
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {printed.removesuffix(chr(10))}")
    assert client.get("/me/").json()["username"] == "Alice"
    token = AccessToken.objects.get()
    assert (token.kind, token.name, token.scopes, token.expires_at) == ("personal", "create_token", list(SCOPES), None)


def test_name_scopes_and_expiry_are_kept() -> None:
    make_maker("alice")
    create_token("alice", "--name", "ci", "--scopes", "tasks:write, user:read", "--expires", "30d")
    token = AccessToken.objects.get()
    assert (token.name, token.scopes) == ("ci", ["tasks:write", "user:read"])
    assert token.expires_at is not None
    assert abs(token.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize("expires", ["2090-01-31", "2090-01-31T12:00:00+02:00"])
def test_a_date_is_an_expiry(expires: str) -> None:
    make_maker("alice")
    create_token("alice", "--expires", expires)
    expires_at = AccessToken.objects.get().expires_at
    assert expires_at is not None
    assert expires_at.year == 2090


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], "There is no maker 'nobody'."),
        (["closed"], "The account of closed is not active: its tokens would not work."),
        (["alice", "--expires", "soon"], "--expires is 'soon'; give days (30d) or an ISO 8601 date (2030-01-31)."),
        (["alice", "--expires", "2001-01-01"], "--expires is 2001-01-01; it must be in the future, and before 2106."),
        (["alice", "--expires", "99999d"], "--expires is 99999d; it must be in the future, and before 2106."),
        (["alice", "--scopes", ","], "--scopes is empty; leave it out for all."),
        (["alice", "--scopes", "x"], f"--scopes names x, which there is not. Known: {', '.join(KNOWN_SCOPES)}."),
        (["alice", "--name", "x" * 101], "--name is 101 characters long; at most 100 are kept."),
    ],
)
def test_an_error_is_one_sentence(arguments: list[str], sentence: str) -> None:
    make_maker("alice")
    make_maker("closed", is_active=False)
    with pytest.raises(CommandError) as caught:
        create_token(*arguments)
    assert str(caught.value) == sentence
    assert caught.value.returncode == 1
    assert AccessToken.objects.count() == 0


def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessToken, "MAX_PERSONAL", 0)
    make_maker("alice")
    with pytest.raises(CommandError, match="You have 0 tokens; delete one first"):
        create_token("alice")
