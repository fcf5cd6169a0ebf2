"""Waiting for PostgreSQL with a deadline.

A frozen server honours no statement_timeout, and a cut network says nothing: libpq waits for ever, and the thread with it.
psycopg2 lets us do the waiting, for connecting too. It costs 2 to 5 microseconds of CPU a query (decision 7).
"""

import select
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

from makerlog.api.exceptions import RETRY_AFTER_S
from makerlog.gate import deadline
from makerlog.gate.answers import Refusal
from makerlog.gate.fibres import wait_for


class DatabaseUnavailable(Refusal):
    """A request's whole time went by waiting for PostgreSQL."""

    status = 503
    code = "database_unavailable"
    outcome = "shed"
    detail = "The database does not answer. Try again in a moment."
    retry_after = RETRY_AFTER_S


class Silent(psycopg2.OperationalError):
    """PostgreSQL gave no answer by this thread's deadline."""


def install() -> None:
    """For the whole process, which cannot COPY from then on: psycopg2 knows no way to wait for that."""
    set_wait_callback(wait)


def wait(connection: Any) -> None:
    """Returns when ``connection`` has its answer. Raises Silent, upon which psycopg2 closes the connection: half an
    answer must not be taken for the next query's. Closing it here would pull it away under psycopg2's feet.
    """
    deadline.begin_wait(DatabaseUnavailable)
    state = connection.poll()
    while state != POLL_OK:
        events = select.POLLIN if state == POLL_READ else select.POLLOUT
        if not wait_for(
            connection.fileno(), events, deadline.left()
        ):  # while connecting, the socket may become another
            raise Silent("no answer by the deadline")
        state = connection.poll()
    deadline.end_wait()
