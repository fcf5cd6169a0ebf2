"""Alice, Bob and Charlie: makers for tests, each with a client of their own."""

from typing import Any
from uuid import uuid4

from rest_framework.test import APIClient

from makerlog.accounts.actions import create_token, log_in
from makerlog.accounts.models import Maker
from makerlog.api.throttling import limiter


def refill() -> None:
    """Full buckets for everybody: for what asks more than anybody may, or compares the headers of answers."""
    limiter.prefix = f"test:{uuid4().hex}"


class Caller(APIClient):
    """A maker app: speaks to the API with one maker's token, or with none."""

    maker: Maker
    token: str = ""


def make_maker(username: str = "alice", **values: Any) -> Maker:
    return Maker.objects.create(username=username, email=f"{username}@example.com", **values)


def caller(username: str = "alice", scopes: list[str] | None = None, **values: Any) -> Caller:
    """A client with a personal token of the maker named, who is made where there is none."""
    client = Caller()
    client.maker = Maker.objects.filter(username=username).first() or make_maker(username, **values)
    _, client.token = create_token(maker=client.maker, scopes=scopes)
    client.credentials(HTTP_AUTHORIZATION=f"Token {client.token}")
    return client


def just_logged_in(username: str = "alice", **values: Any) -> Caller:
    """A client with a log-in token of this moment, which may do what asks again who is there."""
    client = Caller()
    client.maker = Maker.objects.filter(username=username).first() or make_maker(username, **values)
    client.token = log_in(maker=client.maker)
    client.credentials(HTTP_AUTHORIZATION=f"Token {client.token}")
    return client


def moderator(username: str = "mod", *, second_factor: bool = True, **flags: Any) -> Caller:
    """A moderator's client, with a log-in token of this moment that was made with a code of their second factor."""
    client = Caller()
    client.maker = make_maker(username, **{"is_staff": True, "is_moderator": True, **flags})
    client.token = log_in(maker=client.maker, second_factor=second_factor)
    client.credentials(HTTP_AUTHORIZATION=f"Token {client.token}")
    return client


def anonymous() -> Caller:
    return Caller()
