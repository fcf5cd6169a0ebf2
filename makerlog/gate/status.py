"""/status/: how things stand, in public. Answered at the door, without a thread and without the database.

A small page for people, JSON for whoever asks for that. What it says is the level and the notice of whoever declared it.
"""

from datetime import UTC, datetime
from html import escape

from starlette.types import Scope

from makerlog.gate.answers import Answer, as_json
from makerlog.gate.level import GUARDED, NORMAL, UNDER_ATTACK, Declared

PATHS = {"/status", "/status/"}
TITLES = {
    NORMAL: "All is well",
    GUARDED: "We are on guard",
    UNDER_ATTACK: "We are under attack",
}
MEANS = {
    NORMAL: "Everything works as usual.",
    GUARDED: "Reading without a token is limited more than usual, no new accounts are opened, and new makers post more"
    " slowly. With a token all else is as usual.",
    UNDER_ATTACK: "Reading without a token is limited to very little, no new accounts are opened, and new makers post more"
    " slowly. With a token all else is as usual: sign in, or use your app.",
}
# Our own style and nothing else; the page asks nobody for anything.
POLICY = b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="30"><title>{title} · Makerlog</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 2rem 1.25rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: .25rem 0 1rem; }}
.level {{ border-left: .35rem solid {colour}; padding-left: 1rem; }}
blockquote {{ margin: 1.25rem 0; white-space: pre-line; overflow-wrap: anywhere; font-size: 1.15rem; }}
small {{ opacity: .75; }}
</style></head>
<body><main class="level"><small>Makerlog · {level}</small><h1>{title}</h1>{notice}<p>{means}</p><p><small>{when}</small></p>
</main></body></html>
"""
COLOURS = {NORMAL: "#2e9d5b", GUARDED: "#d08a00", UNDER_ATTACK: "#c9302c"}


def status(scope: Scope, declared: Declared, request_id: str) -> Answer:
    """The page, or the JSON where ``Accept`` asks for that and not for a page."""
    accept = b",".join(value for key, value in scope["headers"] if key == b"accept")
    if b"json" in accept and b"html" not in accept:
        return as_json(200, facts(declared), request_id, [(b"vary", b"Accept")])
    body = page(declared).encode()
    kind = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    bounds = [(b"content-security-policy", POLICY), (b"x-content-type-options", b"nosniff"), (b"vary", b"Accept")]
    usual = [
        name for name in as_json(200, {}, request_id).headers if name[0] not in (b"content-type", b"content-length")
    ]
    return Answer(200, [*kind, *usual, *bounds], body)


def facts(declared: Declared) -> dict[str, object]:
    return {
        "level": declared.level,
        "title": TITLES[declared.level],
        "notice": declared.notice or None,
        "means": MEANS[declared.level],
        "since": moment(declared.since),
        "expires_at": moment(declared.expires_at),
    }


def page(declared: Declared) -> str:
    notice = f"<blockquote>{escape(declared.notice)}</blockquote>" if declared.notice else ""
    return PAGE.format(
        title=TITLES[declared.level],
        level=declared.level,
        colour=COLOURS[declared.level],
        notice=notice,
        means=escape(MEANS[declared.level]),
        when=escape(when(declared)),
    )


def when(declared: Declared) -> str:
    """Since when and until when, for people."""
    if declared.level == NORMAL:
        return "This page says so when it is otherwise."
    ends = f"ends {moment(declared.expires_at)}" if declared.expires_at else "ends when we say so here"
    return f"Since {moment(declared.since)}; {ends}. This page loads anew by itself."


def moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
