"""Token holders who go on reading and writing, and keep a ledger of what was accepted."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.deploy.hosts import Reply, ask

PAUSE_S = 0.05


class Load:
    """``accepted``: ids of tasks that were answered with a 201. ``failed``: when each was asked (monotonic) that was not
    answered as it should be, and what became of it."""

    def __init__(self, at: str, port: int, token: str, callers: int = 4) -> None:
        self.at, self.port, self.token = at, port, token
        self.accepted: list[int] = []
        self.asked = 0
        self.failed: list[tuple[float, str]] = []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=[n], daemon=True) for n in range(callers)]

    def work(self, number: int) -> None:
        count = 0
        while not self.over.wait(PAUSE_S):
            count += 1
            self.good("GET", "/tasks/?limit=20", 200)
            reply = self.good("POST", "/tasks/", 201, {"content": f"Load {number} {count}"})
            if reply is not None:
                self.accepted.append(reply.json["id"])

    def good(self, method: str, path: str, wanted: int, body: Any = None) -> Reply | None:
        began = time.monotonic()
        reply = ask(self.at, self.port, path, method, body, Authorization=f"Token {self.token}")
        with self.lock:
            self.asked += 1
            if reply.status == wanted:
                return reply
            self.failed.append((began, f"{method} {reply.status} {reply.body[:60].decode(errors='replace')}"))
        return None

    def failures(self, since: float = 0.0) -> Counter[str]:
        """Of what was asked at ``since`` (monotonic) or later."""
        return Counter(told for began, told in self.failed if began >= since)


@contextlib.contextmanager
def load(at: str, port: int, token: str) -> Iterator[Load]:
    going = Load(at, port, token)
    for thread in going.threads:
        thread.start()
    try:
        yield going
    finally:
        going.over.set()
        for thread in going.threads:
            thread.join(15)


def go_on(going: Load, requests: int, seconds: float = 30.0) -> None:
    """Until so many more were asked."""
    wanted, deadline = going.asked + requests, time.monotonic() + seconds
    while going.asked < wanted:
        assert time.monotonic() < deadline, f"{going.asked} of {wanted} asked within {seconds} s"
        time.sleep(0.05)
