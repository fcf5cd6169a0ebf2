"""The limit: psycopg2 and orjson by hand on the bare server; no authentication, no throttle, no framework.

The one connection is asked on the event loop itself: that costs less CPU than any hand-over to a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
import psycopg2

from makerlog.settings import BOUNDED_PLANS, DATABASE_URL
from tests.benchmarks.peers import rows

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Limit:
    def __init__(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in BOUNDED_PLANS.items())
        connection = psycopg2.connect(DATABASE_URL, options=f"{options} -c timezone=UTC")
        connection.autocommit = True
        self.cursor = connection.cursor()
        self.cursor.execute(f"PREPARE page (text, bigint) AS {rows.STATEMENT}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = parse_qs(scope["query_string"].decode()).get("cursor", [""])[0]
        self.cursor.execute("EXECUTE page (%s, %s)", rows.position_of(asked))
        body = orjson.dumps(rows.page_of(self.cursor.fetchall(), in_place, scope["path"]))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def in_place(text: str) -> orjson.Fragment:
    """JSON that PostgreSQL wrote, as it is."""
    return orjson.Fragment(text)


app = Limit()
