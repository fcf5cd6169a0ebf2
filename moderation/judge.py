"""Judges by the rules, every two seconds: what this process saw, with what the others tell. In the teller's thread, off the
event loop; what it decides is one atomic act of moderation.actions, which no two processes do twice."""

import logging
import os
from collections.abc import Iterator
from functools import lru_cache
from time import time
from zlib import crc32

from django.conf import settings

from makerlog.gate.bans import BanIndex, network_of
from makerlog.gate.conduct import Conduct, Counted, Window
from makerlog.gate.notes import Notes
from moderation import actions, tally
from moderation.guards import is_bannable_by_rule
from moderation.models import RuleAct
from moderation.posts import MANY, Posts
from moderation.routes import route_of
from moderation.rules import RULES, Offence, offences
from moderation.standing import bans, notes

logger = logging.getLogger("makerlog.rules")
dry_logger = logging.getLogger("makerlog.rules.dry_run")

SAY_EVERY_S = 60.0
UNSAFE = (
    "A rule would ban %s, and does not: it forwards requests as a proxy does and TRUSTED_PROXIES does not name it, so it may"
    " be your own proxy's address, and everybody's. Set TRUSTED_PROXIES."
)


class Judge:
    def __init__(self, conduct: Conduct, posts: Posts, notes: Notes, bans: BanIndex | None = None) -> None:
        self.conduct = conduct
        self.bans = bans or BanIndex()
        self.posts = posts
        self.notes = notes
        self._said_at = 0.0

    def judge(self) -> None:
        """Raises DatabaseError or InterfaceError; then it is judged again, a moment later."""
        now = time()
        found = offences({rule: dict(counted) for rule, counted in self._counted(now)})
        for offence in sorted(found, key=turn):
            self._act(offence, now)

    def _counted(self, now: float) -> Iterator[tuple[str, dict[str, int]]]:
        for rule, own in self.conduct.counted(now).items():
            worst = {who: by_route(what) for who, what in tally.told(own).items()}
            yield rule, tally.together(rule, RULES[rule].window, worst, now)
        self.posts.read(now)
        yield from self.posts.counted().items()

    def _act(self, offence: Offence, now: float) -> None:
        is_ban = RULES[offence.rule].acts == "ban"
        if is_ban and self.bans.refusal(offence.subject, genuine=False, now=now):
            self.conduct.forget(offence.subject)
            return
        if is_ban and self.bans.is_allowed(offence.subject, now):
            return
        if is_ban and not is_bannable_by_rule(
            network_of(offence.subject), trusted=settings.TRUSTED_PROXIES, cdn=settings.CDN_RANGES
        ):
            return
        if is_ban and self._is_unsafe(offence.subject, now):
            return
        made = actions.act_by_rule(offence=offence, dry_run=is_dry(offence.rule))
        self.conduct.forget(offence.subject)
        if made is not None:
            log(made)

    def _is_unsafe(self, client: str, now: float) -> bool:
        """Whether every client may have this address here. Said loudly, once a minute."""
        if not self.notes.forwarders.looks_like_proxy(client, now):
            return False
        if now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            logger.error(UNSAFE, client)
        return True


def turn(offence: Offence) -> int:
    """When it is an offence's turn: in each process another, so that of many each does some, and none waits for another
    to do the same."""
    return crc32(f"{os.getpid()} {offence.subject} {offence.rule}".encode())


def by_route(what: Counted) -> Counted:
    """Of what was read, where it was answered from memory the path is known only: the route that it leads to."""
    if isinstance(what, int):
        return what
    found = (resolved(each) if each.startswith("/") else each for each in what)
    return frozenset(each for each in found if each is not None)


@lru_cache(maxsize=10_000)
def resolved(path: str) -> str | None:
    return route_of(path)


def is_dry(rule: str) -> bool:
    return rule in settings.RULES_DRY_RUN


def log(made: RuleAct) -> None:
    """The same line, whether it was done or would have been: only the logger's name differs."""
    (dry_logger if made.dry_run else logger).warning("%s", made.sentence)


# A process tells the others from a quarter of its share of a threshold on.
SHARE = 1 / (4 * settings.WEB_CONCURRENCY)
WINDOWS = {rule.name: Window(rule.window, rule.threshold * SHARE) for rule in RULES.values() if rule.acts == "ban"}

judge = Judge(Conduct(WINDOWS), Posts(RULES[MANY].window), notes, bans)
