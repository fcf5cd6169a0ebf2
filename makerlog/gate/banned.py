"""The refusal of a banned client: one decision and one answer, for the front door and for Django's middleware."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import orjson

from makerlog.gate.answers import Refusal, fitted
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.buckets import Buckets
from makerlog.gate.caller import Caller
from makerlog.gate.limits import Limits
from makerlog.gate.networks import client_of
from makerlog.gate.notes import Notes

# Where staff sign in: their phone may sit in a banned network. What keeps a flood off it: Spared, and a lane of its own.
SPARED = ("/admin/login/", "/admin/login")
# What the pages of staff are made of: public anyway, and without it they are hard to read and to tap.
SPARED_FILES = ("/static/admin/", "/static/moderation/")

# Within so many seconds a ban reaches every process.
REACH_S = 1.0


class Banned(Refusal):
    """403, with what its client may know and how to appeal."""

    status = 403
    code = "banned"
    outcome = "banned"

    def __init__(self, standing: Standing, appeal: str) -> None:
        super().__init__()
        self.standing = standing
        self.appeal = appeal

    @property
    def body(self) -> dict[str, object]:
        return said(self.standing, self.appeal)

    @property
    def written(self) -> bytes:
        return written(self.standing, self.appeal)


def said(ban: Standing, appeal: str) -> dict[str, object]:
    until = None
    if ban.expires_at is not None:
        until = datetime.fromtimestamp(ban.expires_at, UTC).isoformat(timespec="seconds")
    who = "This address is banned" if ban.applies_to == "everything" else "Requests without a token are banned here"
    when = f" until {until}" if until else ""
    why = f": {ban.reason}" if ban.reason else ""
    detail = f"{who}{when}{why}. If that is wrong, write to {appeal} and name ban {ban.id}."
    return {"detail": detail, "code": Banned.code, "ban": ban.id, "expires_at": until, "reason": ban.reason or None}


@lru_cache(maxsize=1_024)
def written(ban: Standing, appeal: str) -> bytes:
    return fitted(orjson.dumps(said(ban, appeal)))


class LinkSpent(Refusal):
    """A link of an alert lets in who has it, so it must not let in a flood."""

    status = 429
    code = "too_many_requests"
    outcome = "throttled"
    detail = "This link was opened too often; try again in a minute."
    retry_after = 60


class BanGuard:
    """Who is banned: asked at the door, and by Django's middleware again. ``appeal``: whom a banned client may write to."""

    def __init__(self, bans: BanIndex, notes: Notes, appeal: str = "") -> None:
        self.bans = bans
        self.notes = notes
        self.appeal = appeal

    def refuse(self, caller: Caller, method: str, path: str, now: float) -> None:
        """Raises Banned, and counts it."""
        standing = self.standing(caller, method, path, now)
        if standing is not None:
            self.refuse_by(standing, now)

    def refuse_by(self, standing: Standing, now: float) -> None:
        self.notes.refused(standing.id, now)
        raise Banned(standing, self.appeal)

    def note_if_slipped(self, caller: Caller, method: str, path: str, *, began: float, now: float) -> None:
        """Asked once more about a request that was answered: should a ban have refused it when it came, at ``began``?"""
        standing = self.standing(caller, method, path, now)
        if standing is not None and began - standing.since > REACH_S:
            self.notes.slip(standing.id, now)

    def standing(self, caller: Caller, method: str, path: str, now: float) -> Standing | None:
        """The ban that refuses ``caller``, if one does. A browser asks before it may show its token."""
        if caller.ticket or caller.known or caller.link or is_spared(path):
            return None
        genuine = caller.token is not None or caller.asks
        return self.bans.refusal(caller.address, genuine=genuine, now=now)


def is_spared(path: str) -> bool:
    return path in SPARED or path.startswith(SPARED_FILES)


class Spared:
    """How often a banned client may still come to where staff sign in and to the files of those pages, and anybody by one
    link of an alert: else a ban would stop no flood of that. A bucket for each client, and one for its files; the
    ``struck_clients`` that came last are known. Used on the event loop only."""

    def __init__(self, guard: BanGuard, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.guard = guard
        self.pages = Buckets(limits.spared, limits.spared_back, limits.struck_clients, clock)
        self.preflights = Buckets(limits.spared_files, limits.spared_files_back, limits.struck_clients, clock)
        self.files = Buckets(limits.spared_files, limits.spared_files_back, limits.struck_clients, clock)

    def refuse_if_spent(self, caller: Caller, path: str, now: float) -> None:
        """Raises Banned, or LinkSpent. ``now``: Unix seconds."""
        if caller.link and not self.pages.take(f"link {caller.link}"):
            raise LinkSpent
        if not (is_spared(path) or caller.asks) or caller.ticket or caller.known:
            return
        standing = self.guard.bans.refusal(caller.address, genuine=caller.token is not None, now=now)
        if standing is None:
            return
        allowed = self.preflights if caller.asks else self.pages if path in SPARED else self.files
        if not allowed.take(client_of(caller.address)):
            self.guard.refuse_by(standing, now)

    def may_read_file(self, caller: Caller, path: str) -> bool:
        """Whether a client that is refused everything else may have this file: what the pages of staff are made of."""
        return path.startswith(SPARED_FILES) and self.files.take(client_of(caller.address))
