"""Every error code that an answer or the end of a WebSocket may carry, with its status and what it means. Pure.

The one place for them: the API's description prints the table, and a test holds it against the source. A code stays what it
is for ever; a new meaning gets a new code.
"""

CODES: dict[str, tuple[str, str]] = {
    # Who asks
    "not_authenticated": ("401", "This needs a token, and none was sent."),
    "token_required": ("401", "This is for tokens only at the moment, and none was sent."),
    "bad_credential": ("401", "The token is none of ours; or, at the front door, it works no more."),
    "token_expired": ("401", "The token has expired, or its log-in was left idle: log in again."),
    "token_revoked": ("401", "The token was revoked, or its account is gone: make a new one."),
    "account_closed": ("401, 400", "The account is closed."),
    "suspended": (
        "401, 403, 400",
        "The account is suspended; `detail` says until when and why. 403: it may still read.",
    ),
    "wrong_password": ("400, 403", "The password is wrong; at log-in perhaps the name instead."),
    "not_activated": ("400", "The password is right, and the account awaits activation by the link in its mail."),
    "reauthentication_required": ("403", "This takes a log-in of the last hour, or `password` in the body."),
    "wrong_otp": ("403", "The code of the second factor is wrong, or was used."),
    "second_factor_required": ("403", "Moderation takes a log-in with a code of the second factor (`otp`)."),
    "no_second_factor": ("403", "Moderation takes a second factor, and the account has none: the admin makes one."),
    # What they may
    "missing_scope": ("403", "The token lacks a scope that this needs; `detail` names it."),
    "token_paused": ("403", "This token may read but not write for a while; its owner was told by mail."),
    "outlives_its_maker": ("403", "A token cannot make one that outlives it."),
    "not_a_login": ("403", "Only a log-in token logs out; this is a personal one."),
    "not_yours": ("403", "It is somebody else's."),
    "not_owner": ("403", "Only its owner may do this, not its team."),
    "not_moderator": ("403", "Only a moderator may do this."),
    "last_admin": ("409", "The account is the last admin's: there must be another first."),
    "locked": ("403", "The discussion takes no more replies."),
    "registrations_closed": ("403", "Nobody can register at the moment."),
    "permission_denied": ("403", "This may not be done."),
    "banned": ("403", "The address is banned; `detail` names the ban."),
    "bad_origin": ("403", "WebSockets: the Origin header is none."),
    # What is asked
    "invalid": ("400", "Fields are wrong. Only with `application/problem+json`: elsewhere the fields are the answer."),
    "parse_error": ("400", "The body, or a frame, cannot be read."),
    "bad_request": ("400", "The request cannot be understood."),
    "bad_parameter": ("400", "A parameter or header cannot be used; `detail` names it."),
    "unknown_parameter": ("400", "A parameter that looks like a typing error of one that there is; `detail` names it."),
    "bad_limit": ("400", "`limit` is no positive number."),
    "bad_cursor": ("400", "The cursor is not of this list: follow `next` as given."),
    "use_next": ("400", "There are no pages by number: follow `next`."),
    "invalid_timezone": ("400", "X-App-Timezone is no IANA time zone."),
    "bad_link": ("400, 403", "A mailed or signed link was used, has expired, or is none of ours."),
    "bad_content_length": ("400", "Content-Length is no number."),
    "too_many_chunks": ("400", "The body comes in too many small chunks."),
    "malformed_forwarded": ("400", "A proxy's forwarding header cannot be read."),
    "not_found": ("404", "Nothing is there that the caller may know of."),
    "method_not_allowed": ("405", "Not with this method; `Allow` has those it takes."),
    "request_timeout": ("408", "The request took too long to arrive."),
    "body_too_large": ("413", "The body is larger than this endpoint takes."),
    "media_quota": ("413", "The maker's files take all that they may: delete some first."),
    "unsupported_media_type": ("415", "The body's type is not taken."),
    "unsupported_encoding": ("415", "Compressed bodies are not taken."),
    "bad_range": ("416", "The file has no such range."),
    "headers_too_large": ("431", "The headers are too large."),
    # What is there already
    "idempotency_key_in_use": (
        "409",
        "The first request with this Idempotency-Key still runs: repeat it, `Retry-After`.",
    ),
    "idempotency_key_reused": ("409", "This Idempotency-Key was used with another body: take another key."),
    "already_answered": ("409", "This was done already; its answer held a secret that is shown once."),
    "changed_meanwhile": ("409", "Somebody changed it at the same moment: repeat it, `Retry-After`."),
    "gone_meanwhile": ("409", "What it belongs to was deleted at the same moment."),
    "email_taken": ("409", "The address of the opened link belongs to another account by now."),
    "on_the_team": ("409", "They are on the team already."),
    "too_many_tokens": ("409", "A maker has so many tokens and no more: delete one first."),
    "conflict": ("409", "It conflicts with what is there."),
    "precondition_failed": ("412", "Its ETag is none of those in `If-Match` any more: read it again."),
    # How often
    "throttled": ("429", "A limit is used up; `detail` names it, and `/limits/` has all of them."),
    "too_many_requests": ("429", "Too much at once from this address."),
    "too_many_refusals": ("429", "Too many failed requests from this address."),
    "too_many_at_once": ("429", "Too many requests of one client at the same time."),
    "too_many_connects": ("429", "Too many WebSockets opened in a short time."),
    "too_many_sockets": ("429", "Too many WebSockets open."),
    # Not the caller's fault: the same later, after `Retry-After`
    "busy": ("503", "No room at the moment."),
    "too_slow": ("503", "It took longer than it may."),
    "stopping": ("503", "The server is restarting."),
    "database_slow": ("503", "The database took too long."),
    "database_unavailable": ("503", "The database does not answer."),
    "hashing_busy": ("503", "Too many passwords are being checked."),
    "images_busy": ("503", "Too many images are being read."),
    "files_unavailable": ("503", "Files cannot be stored just now."),
    "mails_used_up": ("503", "This hour's mails of this kind are sent."),
    "route_closed": ("503", "This is closed for the moment; `detail` says why."),
    "disk_full": ("507", "There is no room for files; all else works."),
    "server_error": ("500", "A fault of ours; tell us the X-Request-Id."),
    "unbounded_answer": ("500", "A fault of ours: the answer would have been larger than any may be."),
}


def table_of_codes() -> str:
    """In Markdown, for the description of the API."""
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in CODES.items()]
    return "\n".join(["| code | status | what it means |", "|---|---|---|", *rows])
