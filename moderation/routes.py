"""Routes by name, and what one that is switched refuses. A name is a path of the URLconf, ``users/<str:maker>/``, or one of
the streams that WebSockets follow: ``users/<str:maker>/stream/``."""

from difflib import get_close_matches
from functools import cache
from math import ceil

from django.conf import settings
from django.http import HttpResponse
from django.urls import Resolver404, URLResolver, path, resolve
from django.urls.resolvers import RegexPattern
from django.utils import timezone
from django.utils.module_loading import import_string

from makerlog.accounts.authentication import genuine_token
from makerlog.api.checks import routes
from makerlog.gate.answers import Answer, Refusal, as_json
from moderation.models import RouteSwitch
from moderation.sharing import CACHED_S
from moderation.standing import Switched, route_switches

State = RouteSwitch.State

ABOUT = {
    State.OPEN: "answered as usual",
    State.CACHED: f"what one reader without a token was answered, others are for {CACHED_S:.0f} seconds; the rest as usual",
    State.TOKENS_ONLY: "401 for whoever sends no good token; a socket is closed with 4401",
    State.CLOSED: "503 with the message, for everybody; a socket is closed with 4503",
}


class UnknownRoute(ValueError):
    """No route of the URLconf. The message names those that are nearly called so."""


def names() -> list[str]:
    """Every route of the URLconf, in its order, and every stream. The admin is none of them: whoever closes a route can open
    it again."""
    return list(dict.fromkeys([*(route.path for route in routes()), *import_string(settings.STREAMS)]))


def route_named(text: str) -> str:
    """The route that ``text`` names: by its name, with a slash before it or without, or by a path that leads to it
    (``/users/alice/``). Raises UnknownRoute."""
    known = names()
    name = text.strip().removeprefix("/")
    if name in known:
        return name
    found = route_of(f"/{name}") or route_of(f"/{name}/")
    if found in known:
        return found
    near = [f"/{each}" for each in get_close_matches(name, known, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(near)}?" if near else "manage.py route lists them all."
    raise UnknownRoute(f"There is no route {text!r}. {hint}")


def checked(name: str) -> str:
    """``name``, if a route is called exactly so. Raises UnknownRoute."""
    if name not in names():
        raise UnknownRoute(f"There is no route {name!r}.")
    return name


def route_of(path: str) -> str | None:
    """Of a request; where none is there, of a socket."""
    try:
        return resolve(path).route
    except Resolver404:
        return stream_of(path)


def stream_of(path: str) -> str | None:
    try:
        return streams().resolve(f"{path.removesuffix('/')}/").route
    except Resolver404:
        return None


@cache
def streams() -> URLResolver:
    """Finds the names of streams; nothing is answered by it."""
    return URLResolver(RegexPattern(r"^/"), [path(name, HttpResponse) for name in import_string(settings.STREAMS)])


# --- How all of them stand ---


def current() -> list[RouteSwitch]:
    """Every route of the URLconf as it is answered now. Those never switched, or whose switch has expired, are open; an
    expired one still tells who switched it, and when."""
    rows = {row.route: row for row in RouteSwitch.objects.select_related("author")}
    found = [rows.get(name) or RouteSwitch(route=name) for name in names()]
    for row in found:
        if row.expires_at and row.expires_at <= timezone.now():
            row.state, row.message = State.OPEN, ""
    return found


# --- What a switched route refuses ---


class RouteClosed(Refusal):
    status = 503
    code = "route_closed"

    def __init__(self, switched: Switched, now: float) -> None:
        super().__init__()
        self.detail = switched.message or "This is closed for the moment."
        self.retry_after = None if switched.expires_at is None else ceil(switched.expires_at - now)


class TokenRequired(Refusal):
    status = 401
    code = "token_required"

    def __init__(self, switched: Switched) -> None:
        super().__init__()
        self.detail = f"This asks for a token at the moment. {switched.message}".strip()

    def answer(self, request_id: str) -> Answer:
        return as_json(self.status, self.body, request_id, [(b"www-authenticate", b"Token")])


class BadToken(TokenRequired):
    """As a view says it of a made-up token; said here because some routes look at none, and others ask the database."""

    code = "bad_credential"

    def __init__(self, switched: Switched) -> None:
        super().__init__(switched)
        self.detail += " The one sent is none of ours, has expired or was revoked."


def refuse_stream(path: str, credential: bytes, now: float) -> None:
    """As ``refuse_if_switched``, whoever opens a socket or has it open: all of those are asked about at every change, so that
    no name is looked for where nothing is switched."""
    if not route_switches:
        return
    switched = route_switches.of(stream_of(path) or "", now)
    if switched is not None:
        refuse_if_switched(switched, credential, now)


def refuse_if_switched(switched: Switched, credential: bytes, now: float) -> None:
    """Raises RouteClosed, TokenRequired or BadToken. ``credential``: the Authorization header, b"" for none."""
    if switched.state == State.CLOSED:
        raise RouteClosed(switched, now)
    if switched.state == State.TOKENS_ONLY and genuine_token(credential) is None:
        raise BadToken(switched) if credential else TokenRequired(switched)
