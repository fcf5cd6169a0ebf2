"""What became of one request, told to whoever watches: the talkers of the traffic console, the rules, the log of requests.

The door tells its observers of every request that it has finished, whether Django answered it, it was refused before Django
looked, or its client hung up. Observers run on the event loop: a few microseconds each, and no waiting. They are told of
many requests together, each observer of all of them in a row: of one at a time, it cost a tenth of a list. Of what is turned
away, many alike are told as one: so a flood costs its refusals, and not the watching of them.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from time import monotonic, time
from typing import Any, NamedTuple

from starlette.types import Scope

from makerlog.gate.caller import ADMIN, Caller
from makerlog.gate.lanes import WHOSE
from makerlog.gate.networks import client_of

log = logging.getLogger("makerlog.gate")

# What only Django knows, in the WSGI environ of a request: it writes there, and the door reads it afterwards.
# (WHOSE, the id of the maker who asks, stands in lanes.py.)
ROUTE = "makerlog.route"  # as the URLconf has it
ROWS = "makerlog.rows"
QUERIES = "makerlog.queries"

AGENT = 120  # characters of a User-Agent; what comes after them tells nobody apart
SAY_EVERY_S = 60.0

FOLDED = {"shared", "shed", "throttled", "banned", "refused"}  # outcomes, where no thread was asked
MOST_FOLDED = 500  # different ones
AT_ONCE = 50  # requests that were not turned away
TOLD_WITHIN_S = 0.2

SECRET = 24  # characters: a segment of a path that is as long may be a secret
TOKEN = re.compile(r"(mkl_[0-9A-Za-z]{0,11})[0-9A-Za-z_-]*")
LONG = re.compile(rf"(?<=/)[^/]{{{SECRET},}}")
NAMES = ("/discussions/", "/products/", "/users/", "/static/", "/media/")  # below these it is a name


class Seen(NamedTuple):
    """One request. Holds no secret: no token in full, no query, no link that we mailed."""

    at: float  # Unix seconds, of its end
    address: str  # "" where the door never asked who it is: /health, a forwarded header that is none
    client: str  # the address; of IPv6 the /64: "2a00:1450:4001:81b::"
    token: str  # public id of the genuine token it came with, or ""
    maker: int | None  # who asked, where Django said so, of this request or of the token before
    method: str  # "SOCKET" where one was opened
    path: str  # as sent, without its secrets
    route: str  # "users/<str:maker>/"; "" where Django never looked (see moderation.routes.route_of)
    agent: str  # User-Agent, the first AGENT characters
    lane: str  # "door": answered before any lane; "sockets"
    outcome: str  # served, shared (what was made for another), shed, throttled, banned, refused, failed, hung_up
    status: int  # 0 where no answer was begun; 101 for a socket that was let in
    waited: float  # seconds, for a thread
    worked: float  # seconds, in a thread, waiting for the database included
    rows: int  # that the database gave or changed
    queries: int
    request_id: str  # "" of a socket; of several the first one's
    times: int = 1  # so many alike, told as one
    staff: bool = False  # came with a valid ticket or session of staff, or from a known device of theirs


Observer = Callable[[Seen], None]


def seen(
    scope: Scope,
    caller: Caller | None,
    *,
    lane: str,
    outcome: str,
    status: int,
    waited: float = 0.0,
    worked: float = 0.0,
    maker: int | None = None,
    told: Mapping[str, Any] | None = None,
    request_id: str = "",
) -> Seen:
    """``told``: the environ as Django left it. ``maker``: whose the token is known to be, where Django did not say."""
    told = told or {}
    address = caller.address if caller else ""
    return Seen(
        time(),
        address,
        client_of(address) if address else "",
        (caller.token if caller else None) or "",
        told.get(WHOSE, maker),
        scope.get("method", "SOCKET"),
        without_secrets(scope["path"]),
        told.get(ROUTE, ""),
        agent_of(caller),
        lane,
        outcome,
        status,
        waited,
        worked,
        told.get(ROWS, 0),
        told.get(QUERIES, 0),
        request_id,
        staff=is_of_staff(scope, caller, told),
    )


def is_of_staff(scope: Scope, caller: Caller | None, told: Mapping[str, Any]) -> bool:
    """By the ticket or the device; by the session, where Django found one of staff."""
    if caller is None or not scope["path"].startswith(ADMIN):
        return False
    return caller.ticket or caller.known or (WHOSE in told and caller.token is None)


def without_secrets(path: str) -> str:
    """``path``, of which only what is a name may be long. A token keeps its public part."""
    if len(path) <= SECRET:
        return path
    path = TOKEN.sub(r"\1…", path)
    return path if path.startswith(NAMES) else LONG.sub("…", path)


def agent_of(caller: Caller | None) -> str:
    return TOKEN.sub(r"\1…", caller.agent[:AGENT].decode("latin-1")) if caller else ""


class Observers:
    """All who are told, soon. None of them can harm a request: what one raises is logged, once a minute. Used on the event
    loop only."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.observers = list(observers)
        self._waiting: list[Seen] = []
        self._folded: dict[Hashable, tuple[Seen, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._says_again_at = 0.0

    def tell(self, scope: Scope, caller: Caller | None, *, outcome: str, **known: Any) -> None:
        """As ``seen`` takes them."""
        if outcome in FOLDED and not known.get("told"):
            self._fold(scope, caller, outcome, known)
        else:
            self._waiting.append(seen(scope, caller, outcome=outcome, **known))
        if len(self._waiting) >= AT_ONCE or len(self._folded) >= MOST_FOLDED:
            self.tell_all()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOLD_WITHIN_S, self.tell_all)

    def _fold(self, scope: Scope, caller: Caller | None, outcome: str, known: dict[str, Any]) -> None:
        key = (caller, scope.get("method"), scope["path"], known["lane"], outcome, known["status"])
        first, times = self._folded.get(key) or (seen(scope, caller, outcome=outcome, **known), 0)
        self._folded[key] = first, times + 1

    def tell_all(self) -> None:
        """What was kept back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._waiting = self._waiting, []
        records += [first._replace(at=time(), times=times) for first, times in self._folded.values()]
        self._folded = {}
        for observer in self.observers:
            for record in records:
                try:
                    observer(record)
                except Exception:
                    self._complain()

    def _complain(self) -> None:
        if monotonic() >= self._says_again_at:
            self._says_again_at = monotonic() + SAY_EVERY_S
            log.exception("An observer of requests failed; requests go on.")
