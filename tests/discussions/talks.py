"""Discussions and replies for tests, made as the API makes them."""

from typing import Any

from discussions import actions
from discussions.models import Discussion, Reply
from makerlog.accounts.models import Maker


def make_discussion(author: Maker, title: str = "Bees", **values: Any) -> Discussion:
    return actions.open_discussion(author=author, title=title, **values)


def make_reply(discussion: Discussion, author: Maker, body: str = "Yes", **values: Any) -> Reply:
    return actions.reply(discussion=discussion, author=author, body=body, **values)
