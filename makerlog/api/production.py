"""What a service on a public address must have, as `manage.py check --deploy` tells it. Each check looks at one thing, and
says what is wrong and what to do. (Django's own security checks run beside these; what cannot be mended later, such as a
missing secret, does not even start: see settings.py.)"""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import redis
from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from makerlog.api.connections import ALLOWED, ask, published
from makerlog.api.store import client

PATIENCE_S = 2.0
# Buckets, sessions of the admin and what is told of traffic must stay as long as they are meant to.
KEEPING = {"noeviction", "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"}
OVERLAP = 2  # old and new processes run side by side for about a minute of each deploy


def error(number: int, sentence: str, hint: str) -> checks.CheckMessage:
    return checks.Error(sentence, hint=hint, id=f"makerlog.E{number}")


def warning(number: int, sentence: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(sentence, hint=hint, id=f"makerlog.W{number}")


@checks.register(deploy=True)
def check_where_it_runs(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    if settings.DEBUG:
        yield error(101, "DEBUG is on: it shows tracebacks and settings to everybody.", "Unset DEBUG.")
    if settings.EMBEDDED_DATABASE:
        yield error(
            102,
            "DATABASE_URL is not set: the data and the secrets are development's own.",
            "Link a PostgreSQL (dokku postgres:link), and set SECRET_KEY and TOKEN_PEPPERS.",
        )
    if settings.EMBEDDED_REDIS:
        yield error(103, "REDIS_URL is not set.", "Link a Redis or Valkey (dokku redis:link).")


@checks.register(deploy=True)
def check_public_url(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    address = urlsplit(settings.PUBLIC_URL)
    host = address.hostname or ""
    if address.scheme != "https" or is_local(host):
        yield error(
            104,
            f"PUBLIC_URL is {settings.PUBLIC_URL}: every link in every answer and mail leads there, and cookies of the"
            " admin travel in clear unless it is https.",
            "Set PUBLIC_URL=https:// and the name that makers see.",
        )
    if not is_allowed(host):
        yield error(
            105,
            f"ALLOWED_HOSTS does not name {host!r}, the host of PUBLIC_URL: every request would be a 400.",
            f"Set ALLOWED_HOSTS={host} (comma-separated with others).",
        )


def is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host in ("", "localhost")


def is_allowed(host: str) -> bool:
    return validate_host(host, settings.ALLOWED_HOSTS)


@checks.register(deploy=True)
def check_trusted_proxies(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    if not settings.TRUSTED_PROXIES:
        yield warning(
            106,
            "TRUSTED_PROXIES is empty: behind nginx every client has nginx's address, a ban would hit them all, and rules"
            " ban nobody.",
            "Set TRUSTED_PROXIES to the addresses nginx calls from (under Dokku the Docker bridge's own: 172.17.0.1).",
        )
    wide = [str(each) for each in settings.TRUSTED_PROXIES if each.prefixlen < (8 if each.version == 4 else 16)]
    if wide:
        yield error(
            107,
            f"TRUSTED_PROXIES holds {', '.join(wide)}: whoever calls from there may claim any address.",
            "Name your own proxies, and nobody else's.",
        )


@checks.register(deploy=True)
def check_redis_keeps(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    try:
        memory = client(settings.REDIS_URL, connect=PATIENCE_S, answer=PATIENCE_S).info("memory")
    except redis.RedisError as why:
        yield warning(108, f"Redis could not be asked whether it keeps what it is told: {why}.", "See REDIS_URL.")
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy not in KEEPING:
        yield error(
            109,
            f"Redis throws away whatever it likes when it is full (maxmemory-policy {policy}): limits would be forgotten.",
            "Set maxmemory-policy to noeviction or volatile-ttl.",
        )


@checks.register(deploy=True)
def check_connections_of_a_deploy(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    """The sum of one version is checked at every start (makerlog.E020)."""
    if settings.DATABASE_POOLED:
        return
    try:
        allowed = int(ask(ALLOWED))
    except psycopg2.Error as why:
        yield warning(110, f"How many connections the database allows could not be asked: {why}.", "See DATABASE_URL.")
        return
    needed = OVERLAP * sum(published().values())
    if needed > allowed:
        yield error(
            111,
            f"During a deploy old and new processes hold up to {needed} database connections; the database allows {allowed}.",
            "Lower WEB_CONCURRENCY or WEB_THREADS, raise PostgreSQL's max_connections, or put pgbouncer between"
            " (DATABASE_POOLED).",
        )


@checks.register(deploy=True)
def check_media_outlive_a_deploy(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    if not settings.MEDIA_S3_BUCKET and not is_mounted(Path(settings.MEDIA_ROOT)):
        yield warning(
            112,
            f"Uploads go to {settings.MEDIA_ROOT}, which is on the disk that holds the code: in a container it is lost with"
            " the next deploy.",
            "Mount a folder there (dokku storage:mount), or set MEDIA_S3_BUCKET.",
        )


@checks.register(deploy=True)
def check_exports_are_shared(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    """The worker writes them and the front door reads them: two containers, or two machines."""
    if not settings.EXPORTS_S3_BUCKET and not is_mounted(Path(settings.EXPORTS_ROOT)):
        yield warning(
            114,
            f"What makers export goes to {settings.EXPORTS_ROOT}, which is on the disk that holds the code: where the worker"
            " is another container than web, links to it lead nowhere.",
            "Mount a folder there (dokku storage:mount), or set EXPORTS_S3_BUCKET.",
        )


def is_mounted(folder: Path) -> bool:
    """Whether a file system of its own holds ``folder``, or what will be its parent: not the one of the code."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.stat().st_dev != settings.BASE_DIR.stat().st_dev


@checks.register(deploy=True)
def check_mail(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    if not settings.EMAIL_HOST:
        yield warning(
            113,
            "EMAIL_HOST is not set: mail is printed on the worker's console, so nobody can register or reset a password.",
            "Set EMAIL_HOST, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD and DEFAULT_FROM_EMAIL.",
        )
