"""``Idempotency-Key``: the same POST sent twice does its work once and gets the same answer.

Per token, method and path, for 24 h. The answer is kept in the write's own transaction, so there is never a write
without its answer or an answer without its write.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.api.exceptions import BadParameter, Conflict, ConflictForNow
from makerlog.api.models import IdempotencyKey
from makerlog.api.purging import purge
from makerlog.api.renderers import written

KEEP = timedelta(hours=24)
MAX_KEY_LENGTH = 255

Handler = Callable[..., Response]


def requested_key(request: Request) -> str | None:
    """The key of a POST by a token holder; anonymous callers' keys are ignored: they have no name to keep them under."""
    key = request.headers.get("Idempotency-Key")
    if not key or request.method != "POST" or request.auth is None:
        return None
    if len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise BadParameter(f"Idempotency-Key must be printable and at most {MAX_KEY_LENGTH} characters long.")
    return key


def once(handler: Handler, key: str, *, secret: bool) -> Handler:
    """``handler``, run at most once for ``key``. ``secret``: its answer holds one and is not kept."""

    def run(request: Request, *args: Any, **kwargs: Any) -> Response:
        identity = {"caller": f"token:{request.auth.pk}", "route": f"POST {quote(request.path)}"[:300], "key": key}
        fingerprint = body_fingerprint(request)
        with transaction.atomic():
            take_turn(identity)
            if first := IdempotencyKey.objects.filter(**identity, created_at__gt=timezone.now() - KEEP).first():
                return replay(first, fingerprint)
            response = handler(request, *args, **kwargs)
            if response.status_code < 400:
                keep(identity, fingerprint, response, secret=secret)
            return response

    return run


def take_turn(identity: dict[str, str]) -> None:
    """Hold the key until the transaction ends; a second holder is told so at once rather than made to wait."""
    digest = hashlib.blake2b("\n".join(identity.values()).encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest, signed=True)])
        if not cursor.fetchone()[0]:
            raise ConflictForNow(
                "The first request with this Idempotency-Key is still running.", "idempotency_key_in_use"
            )


def replay(first: IdempotencyKey, fingerprint: str) -> Response:
    if first.fingerprint != fingerprint:
        raise Conflict("This Idempotency-Key was used with another body.", "idempotency_key_reused")
    if first.body is None:
        raise Conflict("This was done already, and its answer held a secret that is shown once.", "already_answered")
    body = bytes(first.body)
    response = Response(orjson.loads(body) if body else None, status=first.status)
    response["Idempotency-Replayed"] = "true"
    return response


def keep(identity: dict[str, str], fingerprint: str, response: Response, *, secret: bool) -> None:
    body = b"" if response.data is None else written(response.data)
    IdempotencyKey.objects.update_or_create(
        caller=identity["caller"],
        route=identity["route"],
        key=identity["key"],
        defaults={
            "fingerprint": fingerprint,
            "status": response.status_code,
            "body": None if secret else body,
            "created_at": timezone.now(),
        },
    )


def body_fingerprint(request: Request) -> str:
    """Hex digest of what the body says: a multipart boundary drawn anew does not make it another body.

    Keyed: a body may hold a password, and a plain hash of one could be guessed from a stolen database.
    """
    key = hashlib.blake2b(settings.SECRET_KEY.encode()).digest()
    digest = hashlib.blake2b(key=key, digest_size=32)
    data = request.data
    fields = (
        {name: data.getlist(name) for name in data if name not in request.FILES} if hasattr(data, "getlist") else data
    )
    digest.update(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    for name, upload in sorted(request.FILES.items()):
        digest.update(name.encode())
        for chunk in upload.chunks():
            digest.update(chunk)
        upload.seek(0)
    return digest.hexdigest()


def purge_keys() -> int:
    """Forgets keys that no longer count."""
    return purge(IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEEP).order_by("created_at"))
