"""How many database connections there can be at most, and whether the database allows them."""

import logging
from contextlib import closing
from time import monotonic
from typing import Any
from weakref import WeakSet

import psycopg2
from django.conf import settings
from django.core import checks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from makerlog.gate import deadline

logger = logging.getLogger("makerlog.connections")

BESIDE_THREADS = 2  # of each process that answers: the watcher's and the teller's; sockets use the lanes' threads
COMMANDS = 3  # kept for migrations, manage.py and psql
ASK_S = 3.0

# What a session may not take (for superusers, for the role, for the database) is not ours either.
ALLOWED = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
)
"""


_all: WeakSet[BaseDatabaseWrapper] = WeakSet()  # Django's connections, each of one thread or fibre


@receiver(connection_created)
def remember(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    _all.add(connection)


def renew_all() -> None:
    """Has every thread open another connection when its request is over: after a failover those that stand lead to a server
    that takes no writes, for as long as they are kept."""
    for each in list(_all):
        each.close_at = 0.0


def published(numbers: Any = settings) -> dict[str, int]:
    """The most connections of each kind of process, by the settings. A thread has one, and keeps it; and so has each of as
    many fibres (makerlog/gate/fibres.py), of which there are none where staff are answered."""
    return {
        "web": numbers.WEB_CONCURRENCY * (2 * numbers.WEB_THREADS + BESIDE_THREADS),
        "ops": numbers.OPS_THREADS + BESIDE_THREADS,
        "worker": numbers.WORKER_CONNECTIONS,
        "commands": COMMANDS,
    }


def sentence(numbers: Any = settings) -> str:
    """The published sum, for people."""
    parts = published(numbers)
    return f"{sum(parts.values())} at most ({', '.join(f'{name} {most}' for name, most in parts.items())})"


@checks.register(checks.Tags.database)
def check_that_they_fit(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Runs at boot. A database that does not answer now is no reason not to start."""
    if not databases or settings.DATABASE_POOLED:  # a pooler has bounds of its own
        return []
    try:
        allowed = int(ask(ALLOWED))
    except psycopg2.Error as error:
        logger.warning("Whether the database allows %s could not be asked: %s", sentence(), error)
        return []
    needed = sum(published().values())
    if needed <= allowed:
        return []
    kind = checks.Warning if settings.DEVELOPMENT else checks.Error
    return [
        kind(
            f"Database connections: {sentence()}, but the database allows {allowed}.",
            hint="Lower WEB_CONCURRENCY or WEB_THREADS, or raise PostgreSQL's max_connections.",
            id=f"makerlog.{kind.__name__[0]}020",
        )
    ]


@checks.register(checks.Tags.database)
def check_encoding(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Runs at boot. SQL_ASCII keeps any bytes, and LATIN1 refuses most names; neither can be mended later."""
    if not databases:
        return []
    try:
        encoding = ask("SELECT current_setting('server_encoding')")
    except psycopg2.Error:
        return []
    if encoding == "UTF8":
        return []
    return [
        checks.Error(
            f"The database's encoding is {encoding}: it cannot hold every text that makers write, or not as text.",
            hint="Make another: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and let DATABASE_URL name it.",
            id="makerlog.E021",
        )
    ]


def ask(sql: str) -> Any:
    """One value, on a connection of its own, closed again: the thread that boots a process needs none later."""
    database = connections["default"]
    parameters = database.get_connection_params()
    with deadline.until(monotonic() + ASK_S), closing(database.get_new_connection(parameters)) as own:
        cursor = own.cursor()
        cursor.execute(sql)
        return cursor.fetchone()[0]
