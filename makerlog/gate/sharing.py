"""Identical public reads share one answer: whoever comes first has it made, the others wait for that one, and for a second
afterwards it is given from memory. Used on the event loop only, so nothing is locked.

Django says which answers are anybody's, and for how many seconds (``wsgi.PUBLIC_FOR`` in the environ, ``Answer.public_for``
here). Only reads without a credential come here, so whoever sends one sees their own write at once. What one reader is told
for themselves (how their limits stand, the request's id) is made for each, and a shared cache must not keep it: one that
says that it is one gets an answer without. So is the secret of a form: the page where staff sign in is at hand while
strangers ask for it by the hundred, and no two readers have the same.

``FrontDoor.answer_from_memory(Mode(keep=10.0, stale=60.0, work=5.0))`` is for an attack: an answer is good for ten seconds,
Django begins five pieces of work a second for all who have no token together (whoever asked least of late first), and whoever
finds no room gets an answer up to a minute old, or a 503 where there is none. ``Mode()`` is as usual.
"""

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from math import ceil
from typing import NamedTuple

from starlette.types import Scope

from makerlog.gate.answers import PIECE, RATE_LIMITS, Answer, Headers
from makerlog.gate.body import has_body
from makerlog.gate.caller import SIGN_IN
from makerlog.gate.deadline import TooSlow
from makerlog.gate.limits import Limits
from makerlog.gate.pool import NoRoom
from makerlog.gate.readers import Readers
from makerlog.gate.spent import header

# All that an answer to nobody in particular depends on, beside its address. One that varies with more is not shared.
DEPENDS_ON = (b"accept", b"x-app-timezone", b"origin", b"host")
VARY = {"accept", "x-app-timezone", "origin", "authorization", "cookie"}
# Who sends these is somebody; or asks for a part, or under a condition that is left to Django.
NEVER = {b"authorization", b"cookie", b"range", b"if-match", b"if-unmodified-since", b"if-modified-since"}
CONDITION = b"if-none-match"
CACHES_SAY = {b"via", b"cdn-loop"}
NOT_SHARED = ("/admin/", "/metrics", "/health")

LEAST = 8 * 1024  # bytes: what an answer costs that has next to no body
AHEAD_S = 0.25  # of `shared_flow` may be sent at once

REQUEST_ID = b"x-request-id"
LIMITS = {name.lower().encode() for name in RATE_LIMITS}
OWN = {REQUEST_ID, *LIMITS}
REPLACED = {*OWN, b"vary", b"cache-control"}
OF_A_BODY = {b"content-type", b"content-length"}
NOT_FOR_CACHES = b', private="%s"' % ", ".join((*RATE_LIMITS, "X-Request-Id")).encode()
TAG = re.compile(rb'(?:W/)?("[^"]*")')

Key = tuple[bytes | None, ...]
# The page where staff sign in, as they come to it: made once in a long while, and small, so it goes before all others.
FIRST = {(SIGN_IN.encode(), b""), (SIGN_IN.encode(), b"next=/admin/")}
Fetch = Callable[[], Awaitable[Answer]]


class Mode(NamedTuple):
    """``keep``: seconds that an answer is good for at least. ``stale``: how old one may be where no other can be had.
    ``work``: pieces of work begun a second for all who have no token together, None for as many as there is room for."""

    keep: float = 0.0
    stale: float = 0.0
    work: float | None = None


class Read(NamedTuple):
    """What is asked, whoever asks."""

    key: Key
    tags: bytes  # of what this reader has already: If-None-Match
    by_cache: bool  # a shared cache asks, for many
    request_id: str


class Kept(NamedTuple):
    """An answer without what was for one reader only. ``at``: seconds, on the clock."""

    answer: Answer
    at: float
    size: int


def read_of(scope: Scope, request_id: str) -> Read | None:
    """None where nothing may be shared."""
    if scope["method"] not in ("GET", "HEAD") or not is_for_many(scope["path"]) or has_body(scope):
        return None
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in NEVER:
            return None
        found[name] = found[name] + b"," + value if name in found else value
    path = scope.get("raw_path") or scope["path"].encode()
    depends_on = () if scope["path"] == SIGN_IN else DEPENDS_ON
    key = (path, scope["query_string"], *map(found.get, depends_on))
    return Read(key, found.get(CONDITION, b""), not CACHES_SAY.isdisjoint(found), request_id)


def is_for_many(path: str) -> bool:
    return path == SIGN_IN or not path.startswith(NOT_SHARED)


def for_anybody(scope: Scope) -> Scope:
    """As asked, but for the whole answer, whatever this reader has of it already."""
    headers = [(name, value) for name, value in scope["headers"] if name != CONDITION]
    return {**scope, "method": "GET", "headers": headers}


class Sharing:
    """``len()``: answers at hand; ``held``: the bytes that they take."""

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        is_tight: Callable[[], bool] = lambda: False,
        part: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """``is_tight``: whether others need the loop's time, so that it goes to sharing in measure; and in which ``part`` of
        that."""
        self.limits = limits
        self.clock = clock
        self.is_tight = is_tight
        self.part = part
        self.mode = Mode()
        self.held = 0
        self.readers = Readers("shared", limits.shared_reads, limits.shared_reads_back, limits.struck_clients, clock)
        self._sent_until = 0.0  # when what was sent so far would have left at `shared_flow`
        self._answers: OrderedDict[Key, Kept] = OrderedDict()
        self._flights: dict[Key, asyncio.Future[Answer | None]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def forget(self) -> None:
        """Drops what is kept. What is on its way is for those who wait already, and is not kept."""
        self._answers.clear()
        self._flights.clear()
        self.held = 0

    async def answered(self, read: Read, client: Hashable, fetch: Fetch) -> Answer:
        """The answer to ``read``: a shared one, or what ``fetch`` gives. Raises SharedSpent, NoRoom, and what ``fetch``
        raises."""
        until = self.clock() + self.limits.shared_wait
        while True:
            if kept := self._kept(read.key, self.mode.keep):
                return self._share(kept.answer, read, client)
            flight = self._flights.get(read.key)
            if flight is None:
                return await self._fetched(read, client, fetch)
            await asyncio.wait({flight}, timeout=until - self.clock())
            if not flight.done():
                raise TooSlow
            answer = flight.result()
            if answer is not None:
                return self._share(answer, read, client) if answer.public_for else told(await fetch(), read)

    def at_hand(self, read: Read, client: Hashable) -> Answer | None:
        """The answer, where it is kept and small enough to be sent in one piece. Raises SharedSpent, and NoRoom."""
        kept = self._kept(read.key, self.mode.keep)
        if kept is None:
            return None
        if kept.size > PIECE:
            self._require_flow()
            return None
        return self._share(kept.answer, read, client)

    def expects(self, read: Read) -> bool:
        """Whether there is an answer without room for more work: on its way, or kept."""
        return read.key in self._flights or self._kept(read.key, max(self.mode.keep, self.mode.stale)) is not None

    # --- The one who has it made ---

    async def _fetched(self, read: Read, client: Hashable, fetch: Fetch) -> Answer:
        flight = self._flights[read.key] = asyncio.get_running_loop().create_future()
        answer: Answer | None = None
        try:
            answer = checked(await fetch())
        except (NoRoom, TooSlow):
            if kept := self._kept(read.key, self.mode.stale):
                return self._share(kept.answer, read, client)
            raise
        finally:
            self._land(read.key, flight, answer)
        if not answer.public_for:
            return told(answer, read)
        return told(anybodys(answer), read, [header for header in answer.headers if header[0] in LIMITS])

    def _land(self, key: Key, flight: "asyncio.Future[Answer | None]", answer: Answer | None) -> None:
        """Tells those who wait. What was refused to one (asked too often, found no room, hung up) the next one may get."""
        is_own = answer is None or answer.status == 429 or answer.status >= 500
        shared = anybodys(answer) if answer is not None and answer.public_for else answer
        flight.set_result(None if is_own else shared)
        if self._flights.get(key) is not flight:
            return  # forgotten
        del self._flights[key]
        if shared is not None and shared.public_for:
            self._keep(key, shared)

    # --- All others ---

    def _share(self, answer: Answer, read: Read, client: Hashable) -> Answer:
        if read.key not in FIRST:
            self._require_flow()
        size = max(len(answer.body), LEAST)
        headers = self.readers.charged(client, ceil(size / self.limits.shared_unit))
        now = self.clock()
        takes = size / (self.limits.shared_flow * self.part())
        self._sent_until = min(max(self._sent_until, now) + takes, now + 2 * AHEAD_S)
        return told(answer, read, headers)._replace(shared=True)

    def _require_flow(self) -> None:
        if self._sent_until > self.clock() + AHEAD_S and self.is_tight():
            raise NoRoom

    def _kept(self, key: Key, good_for: float) -> Kept | None:
        kept = self._answers.get(key)
        if kept is None or self.clock() - kept.at >= max(kept.answer.public_for, good_for):
            return None
        self._answers.move_to_end(key)
        return kept

    def _keep(self, key: Key, answer: Answer) -> None:
        self._drop(key)
        size = len(answer.body) + sum(len(part or b"") for part in key)
        if size > self.limits.shared_body:
            return
        self._answers[key] = Kept(answer, self.clock(), size)
        self.held += size
        while len(self._answers) > self.limits.shared or self.held > self.limits.shared_bytes:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Key) -> None:
        if kept := self._answers.pop(key, None):
            self.held -= kept.size


def checked(answer: Answer) -> Answer:
    """``answer``, which is nobody's but its reader's where it does not look like anybody's."""
    names = {name for name, _ in answer.headers}
    varies = {
        name.strip().lower() for name in header(answer.headers, b"vary").decode("latin-1").split(",") if name.strip()
    }
    is_plain = varies <= VARY and names.isdisjoint((b"cache-control", b"set-cookie"))
    return answer if answer.status == 200 and (is_plain or answer.secret) else answer._replace(public_for=0.0)


def anybodys(answer: Answer) -> Answer:
    """Without what was for one reader, and with what caches must know."""
    if answer.secret:
        return answer._replace(headers=[each for each in answer.headers if each[0] not in OWN])
    varies = [name.strip() for name in header(answer.headers, b"vary").decode("latin-1").split(",") if name.strip()]
    varies += [
        name for name in ("Authorization", "Accept", "X-App-Timezone") if name.lower() not in map(str.lower, varies)
    ]
    kept = [each for each in answer.headers if each[0] not in REPLACED]
    public = b"public, max-age=%d" % answer.public_for
    return answer._replace(headers=[*kept, (b"vary", ", ".join(varies).encode()), (b"cache-control", public)])


def told(answer: Answer, read: Read, limits: Headers | None = None) -> Answer:
    """``answer`` to one reader: that they have it already, or the whole, with what is for them alone."""
    if answer.secret:
        return with_another_secret(answer, read)
    if limits is not None:
        answer = answer._replace(headers=answer.headers if read.by_cache else to_one(answer.headers, read, limits))
    if not read.tags or answer.status != 200 or not has_it(read.tags, header(answer.headers, b"etag")):
        return answer
    return answer._replace(status=304, headers=[each for each in answer.headers if each[0] not in OF_A_BODY], body=b"")


def with_another_secret(answer: Answer, read: Read) -> Answer:
    """For nobody else, and for no cache."""
    ours = secrets.token_hex(len(answer.secret) // 2).encode()
    headers = [(name, value.replace(answer.secret, ours)) for name, value in answer.headers if name not in OWN]
    headers.append((REQUEST_ID, read.request_id.encode()))
    return answer._replace(headers=headers, body=answer.body.replace(answer.secret, ours))


def to_one(headers: Headers, read: Read, limits: Headers) -> Headers:
    name, public = headers[-1]
    return [*headers[:-1], (name, public + NOT_FOR_CACHES), *limits, (REQUEST_ID, read.request_id.encode())]


def has_it(tags: bytes, tag: bytes) -> bool:
    """As RFC 9110 has it: weakly compared."""
    return bool(tag) and (tags.strip() == b"*" or tag.removeprefix(b"W/") in TAG.findall(tags))
