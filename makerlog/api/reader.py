"""Where reads ask PostgreSQL, and write the little that they do: in a thread on Django's connection, in a fibre on one of its
own (makerlog/gate/fibres.py)."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from makerlog.gate.fibres import Elsewhere, Own, in_fibre


def cursor() -> AbstractContextManager[Any]:
    """Raises Django's database errors; Elsewhere in a fibre whose connection does not stand."""
    return mine().cursor() if in_fibre() else connection.cursor()


def rows_of(sql: str, params: Sequence[Any]) -> list[Any]:
    with cursor() as asked:
        asked.execute(sql, params)
        return asked.fetchall()


def execute(sql: str, params: Sequence[Any]) -> None:
    """A statement for itself, of which nobody waits for rows."""
    with cursor() as asked:
        asked.execute(sql, params)


def in_transaction() -> bool:
    """What a fibre reads, it reads in none."""
    return not in_fibre() and connection.in_atomic_block


class FibreConnection:
    """Opened by a thread, as set up by Django; from then on its fibre's. Not Django's own for the loop's thread, of which
    there is one for all fibres."""

    def __init__(self) -> None:
        self.database: Any = connections.create_connection(DEFAULT_DB_ALIAS)
        self.database.inc_thread_sharing()

    def cursor(self) -> Any:
        if not self.stands():
            raise Elsewhere(self.connect)
        return self.database.make_cursor(self.database.connection.cursor())

    def stands(self) -> bool:
        """As far as can be told without asking: not lost, not in the midst of anything, not too old."""
        raw, ends = self.database.connection, self.database.close_at
        if raw is None or raw.closed or raw.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            return False
        return ends is None or time.monotonic() < ends

    def connect(self) -> None:
        self.database.close()
        self.database.connect()


mine = Own(FibreConnection)
