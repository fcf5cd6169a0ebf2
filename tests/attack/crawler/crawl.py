"""Crawling: every shot at 100 rows of everything, and again at very many."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from makerlog.accounts.actions import create_token
from makerlog.accounts.models import AccessToken, Maker
from tests.attack.crawler import corpus
from tests.attack.crawler.measure import Cost, Meter, dearest, measure
from tests.attack.crawler.targets import ANONYMOUS, MODERATOR, NEWCOMER, PROLIFIC, STAFF, Shot
from tests.lists.reading import LINK
from tests.makers import refill

MAKERS = {PROLIFIC: corpus.COMMON, MODERATOR: corpus.MODERATOR, NEWCOMER: corpus.SPARE, STAFF: corpus.STAFF}
ADDRESSES = count(1)


@dataclass
class Crawler:
    """Sends shots, each from an address of its own, and measures them. The rows are there already."""

    meter: Meter = field(default_factory=Meter)
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    session: str = ""

    def __post_init__(self) -> None:
        for caller, number in MAKERS.items():
            token, text = create_token(maker=Maker.objects.get(pk=number))
            # Noted as used from now on, so that no request notes it.
            AccessToken.objects.filter(pk=token.pk).update(last_used_at="2100-01-01T00:00:00Z")
            self.credentials[caller] = {"Authorization": f"Token {text}"}
        self.credentials |= {ANONYMOUS: {}, STAFF: {}}
        client = Client()
        client.force_login(Maker.objects.get(pk=corpus.STAFF))
        self.session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def send(self, shot: Shot, url: str = "") -> Any:
        client = Client(raise_request_exception=False)
        if shot.caller == STAFF:  # anew for each: the answer to logging out takes the cookie away
            client.cookies[settings.SESSION_COOKIE_NAME] = self.session
        headers = {**self.credentials[shot.caller], **shot.headers}
        refill()  # what is looked at is what a request costs, not how many there are
        return client.generic(
            shot.method, url or shot.url, shot.body, shot.content_type, headers=headers, REMOTE_ADDR=next_address()
        )

    def costs(self, shot: Shot) -> list[Cost]:
        """Of the shot, and of the pages that follow."""
        found: list[Cost] = []
        url: str | None = shot.url
        while url and len(found) <= shot.pages:
            asked = url
            response, cost = measure(self.meter, lambda: self.send(shot, asked))  # noqa: B023 - called at once
            found.append(cost)
            url = next_page(response) if shot.pages else None
        return found

    def dearest(self, shot: Shot) -> str:
        return dearest(self.meter, lambda: self.send(shot))


def next_address() -> str:
    number = next(ADDRESSES)
    return f"93.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def next_page(response: Any) -> str | None:
    """The address of the next page without its host, in whichever way the list says it."""
    if response.status_code != 200 or "json" not in response["Content-Type"]:
        return None
    body = response.json()
    url = body.get("next") if isinstance(body, dict) else None
    url = url or {rel: link for link, rel in LINK.findall(response.get("Link", ""))}.get("next")
    return url and urlsplit(url)._replace(scheme="", netloc="").geturl()


@contextmanager
def quiet() -> Iterator[None]:
    """What is refused is logged by the thousand."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
