"""What a request asks of the database, and which route it took: told to the front door, which tells its observers."""

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any

from django.http import HttpRequest, HttpResponse
from psycopg2.errors import QueryCanceled
from psycopg2.extensions import cursor

from makerlog.api.budgets import Budget, budget_of, watch
from makerlog.gate.fibres import Own, in_fibre
from makerlog.gate.seen import QUERIES, ROUTE, ROWS


class Cost:
    """Of what a thread or fibre does at the moment."""

    queries = 0
    rows = 0
    waited = 0.0  # seconds, for PostgreSQL
    computing_since: float | None = None  # on the thread's own clock; None in a fibre, which has none

    @property
    def seconds(self) -> float:
        """Of work so far: in PostgreSQL, and of this thread's in Python. What waits for a core or for Redis is not in it."""
        computed = 0.0 if self.computing_since is None else thread_time() - self.computing_since
        return self.waited + computed

    def told(self, route: str) -> dict[str, Any]:
        """So far, as it stands in an environ."""
        return {ROUTE: route, QUERIES: self.queries, ROWS: self.rows}

    def hold(self, route: str, budget: Budget | None, size: int) -> None:
        """Against its budget, with an answer of ``size`` bytes."""
        watch.note(route, budget, Budget(self.queries, self.rows, size))


_mine = Own(Cost)


class CountingCursor(cursor):
    """psycopg2's own, which adds up for its thread or fibre what it is asked. Costs 0.3 microseconds a query."""

    def execute(self, query: Any, vars: Any = None) -> None:
        mine = _mine()
        mine.queries += 1
        began = perf_counter()
        try:
            super().execute(query, vars)
        except QueryCanceled:  # it worked as long as it may; of a database that is away nobody is charged
            mine.waited += perf_counter() - began
            raise
        mine.waited += perf_counter() - began
        if self.rowcount > 0:  # -1: of a cursor on the server, or of no rows at all
            mine.rows += self.rowcount


def begin() -> Cost:
    """Of this thread's or fibre's next request."""
    mine = _mine()
    mine.queries = mine.rows = 0
    mine.waited = 0.0
    mine.computing_since = None if in_fibre() else thread_time()
    return mine


def work_seconds() -> float:
    """Seconds of work on this thread's or fibre's request so far."""
    return _mine().seconds


class CostMiddleware:
    """Leaves the route, the queries and the rows of a request in its environ, and has them held against its budget."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        cost = begin()
        response = self.get_response(request)
        match = request.resolver_match
        request.META |= cost.told(match.route if match else "")
        if match:
            size = 0 if response.streaming else len(response.content)
            cost.hold(match.route, budget_of(match.func, request.method or ""), size)
        return response
