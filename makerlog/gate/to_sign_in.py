"""Leads a browser that is refused a page of the admin to where staff sign in. That page passes bans and has room of its own,
and from there everything works. A script keeps its refusal in JSON. Pure."""

from urllib.parse import quote, urlencode

from makerlog.gate.answers import Answer, Refusal, in_json
from makerlog.gate.banned import Banned
from makerlog.gate.caller import ADMIN, SIGN_IN, Caller
from makerlog.gate.pool import NoRoom
from makerlog.gate.strikes import TooManyRefusals, is_staff

MAX_NEXT_CHARACTERS = 1_000  # of an address to come back to
STRANGER = (Banned, TooManyRefusals, NoRoom)  # what refuses a stranger, and not staff


class LedToSignIn(Refusal):
    """302, in the place of ``refusal``, counted as that."""

    status = 302

    def __init__(self, refusal: Refusal, location: str) -> None:
        super().__init__()
        self.refusal = refusal
        self.location = location
        self.outcome = refusal.outcome  # type: ignore[misc]

    def answer(self, request_id: str) -> Answer:
        return in_json(self.status, self.refusal.written, request_id, [(b"location", self.location.encode())])


def for_browser(refusal: Refusal, caller: Caller | None, method: str, path: str, query: str, accept: str) -> Refusal:
    """``refusal``, or the way to the sign-in. ``accept``: the header, as sent."""
    if not isinstance(refusal, STRANGER) or not f"{path}/".startswith(ADMIN) or f"{path}/".startswith(SIGN_IN):
        return refusal
    if (caller is not None and is_staff(caller)) or method == "OPTIONS" or "text/html" not in accept:
        return refusal
    return LedToSignIn(refusal, sign_in_before(path, query))


def sign_in_before(path: str, query: str) -> str:
    """The address of the sign-in that leads on to ``path``."""
    onward = quote(path, safe="/:@") + (f"?{query}" if query else "")
    return f"{SIGN_IN}?{urlencode({'next': onward[:MAX_NEXT_CHARACTERS]}, safe='/')}"
