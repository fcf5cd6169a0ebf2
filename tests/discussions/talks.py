"""Discussions and replies for tests, made as the API makes them."""

from typing import Any

from django.utils.text import slugify

from discussions import actions
from discussions.models import Discussion, Reply
from makerlog.accounts.models import Maker


def make_discussion(author: Maker, title: str = "Bees", **values: Any) -> Discussion:
    """Under the slug that its title makes, also where it is private: tests ask for it by that."""
    discussion = actions.open_discussion(author=author, title=title, **values)
    if not discussion.listed:
        discussion.slug = slugify(title)
        discussion.save(update_fields=["slug"])
    return discussion


def make_reply(discussion: Discussion, author: Maker, body: str = "Yes", **values: Any) -> Reply:
    return actions.reply(discussion=discussion, author=author, body=body, **values)
