"""Token holders who go on reading and writing at their pace, and keep a ledger of what was accepted."""

import contextlib
import http.client
import random
import select
import string
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from tests.deploy.hosts import Reply, ask_on

RATE = 16.0  # requests a second, of all holders together
LATE_S = 5.0  # from the moment that a request is meant for to the end of its answer; then it failed
AT_ONCE = 64  # requests under way; more are late, and fail by that
CYCLE = ("list", "post", "detail")


class Load:
    """Open loop: each request is sent at its moment, answered or not the one before; none is sent twice.

    ``accepted``: the texts of tasks that were answered with a 201. ``failed``: when each was meant (monotonic) that was not
    answered as it should be, and what became of it. Every second holder keeps a connection, as apps do; the others open one
    for each request.
    """

    def __init__(self, port: int, tokens: list[str], rate: float = RATE) -> None:
        self.port, self.tokens, self.rate = port, tokens, rate
        self.asked = 0
        self.accepted: list[str] = []
        self.ids: list[int] = []
        self.failed: list[tuple[float, str]] = []
        self.idle: dict[int, http.client.HTTPConnection] = {}
        self.over = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as callers:
            for number in count():
                at = began + number / self.rate
                if self.over.wait(max(0.0, at - time.monotonic())):
                    return
                self.asked += 1
                callers.submit(self.call, number, at)

    def call(self, number: int, at: float) -> None:
        """One request: a page, a task, or one that was accepted before, by whichever host."""
        kind, text = CYCLE[number % len(CYCLE)], words()
        wanted, method, path, body = 200, "GET", "/tasks/?limit=20", None
        if kind == "post":
            wanted, method, path, body = 201, "POST", "/tasks/", {"content": text}
        elif kind == "detail" and self.ids:
            path = f"/tasks/{self.ids[-1]}/"
        told, reply = self.answer(number % len(self.tokens), method, path, body)
        if reply is None or reply.status != wanted:
            self.failed.append((at, f"{method} {told}"))
        elif (seconds := time.monotonic() - at) > LATE_S:
            self.failed.append((at, f"{method} after {seconds:.1f} s"))
        if reply is not None and reply.status == 201:
            self.ids.append(reply.json["id"])
            self.accepted.append(text)

    def answer(self, holder: int, method: str, path: str, body: Any) -> tuple[str, Reply | None]:
        """What became of it, in words, and the answer where there is one."""
        connection = self.connection(holder)
        try:
            reply = ask_on(
                connection, method=method, path=path, body=body, Authorization=f"Token {self.tokens[holder]}"
            )
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__, None
        if holder % 2 or connection.sock is None or self.idle.setdefault(holder, connection) is not connection:
            connection.close()
        return f"{reply.status} {reply.body[:60].decode(errors='replace')}", reply

    def connection(self, holder: int) -> http.client.HTTPConnection:
        """The holder's own, unless the other side has closed it meanwhile or it is in use; or a new one."""
        kept = self.idle.pop(holder, None)
        if kept is not None and kept.sock is not None:
            if not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LATE_S)

    def failures(self, since: float = 0.0) -> Counter[str]:
        """Of what was meant for ``since`` (monotonic) or later."""
        return Counter(told for at, told in self.failed if at >= since)


def words() -> str:
    """Never twice the same: who posts the same again and again is a spammer."""
    return " ".join("".join(random.choices(string.ascii_lowercase, k=9)) for _ in range(3))


@contextlib.contextmanager
def load(port: int, tokens: list[str], rate: float = RATE) -> Iterator[Load]:
    """When it is over, every request has been answered, or has failed."""
    going = Load(port, tokens, rate)
    thread = threading.Thread(target=going.run, daemon=True)
    thread.start()
    try:
        yield going
    finally:
        going.over.set()
        thread.join(4 * LATE_S)
        for connection in going.idle.values():
            connection.close()


def go_on(going: Load, requests: int) -> None:
    """Until so many more were sent."""
    wanted, deadline = going.asked + requests, time.monotonic() + 2 * requests / going.rate + LATE_S
    while going.asked < wanted:
        assert time.monotonic() < deadline, f"{going.asked} of {wanted} sent"
        time.sleep(0.05)
