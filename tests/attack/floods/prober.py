"""Ordinary makers, a health check and a member of the staff, in a process of their own: `python -m ...prober '{...}'`.

Open loop: each request has an intended moment and is timed from it, whether or not the one before is answered. What
times out, is reset or refused has failed, and is never sent again. Prints one line of JSON: the probes, as lists, and the
moment they are counted from, on the machine's monotonic clock.
"""

import asyncio
import json
import random
import re
import string
import sys
import time
from collections.abc import Coroutine
from dataclasses import astuple, dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.attack.floods.bounds import LATE_S, Probe

SIGN_IN_LATE_S = 15.0
CYCLE = ("list", "detail", "list", "detail", "post")
PROXY = "127.0.0.1"
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="(\w+)"')
COOKIES = re.compile(rb"(?i)\r\nset-cookie: ([^=]+)=([^;]*)")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def word() -> str:
    """Never twice the same: who posts the same again and again is a spammer."""
    return "".join(random.choices(string.ascii_lowercase, k=12))


@dataclass(frozen=True)
class Plan:
    """``paths``: of a list, a detail, and of a POST (whose body is ``body``, each time with another word);
    ``rate``: of each holder, a second;
    ``sign_ins``: moments, in seconds from the start."""

    port: int
    seconds: float
    tokens: list[str]
    paths: dict[str, str]
    body: str
    rate: float = 4.0
    health_rate: float = 20.0
    sign_ins: list[float] = field(default_factory=list)
    admin: str = ""
    password: str = ""


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes


class Broken(Exception):
    """No answer, and why."""


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Prober:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.probes: list[Probe] = []
        self.open: set[Streams] = set()
        self.idle: dict[int, Streams] = {}
        self.began = 0.0

    async def run(self) -> None:
        self.began = time.monotonic() + 0.1
        async with asyncio.TaskGroup() as group:
            for at, work in sorted(self.schedule(), key=lambda entry: entry[0]):
                await asyncio.sleep(max(0.0, self.began + at - time.monotonic()))
                group.create_task(work)
        for _, writer in self.open:
            writer.transport.abort()

    def schedule(self) -> list[tuple[float, Coroutine[Any, Any, None]]]:
        plan = self.plan
        entries: list[tuple[float, Coroutine[Any, Any, None]]] = []
        for holder in range(len(plan.tokens)):
            for turn in range(int(plan.seconds * plan.rate)):
                at = (turn + holder / len(plan.tokens)) / plan.rate
                kind = CYCLE[(turn + holder) % len(CYCLE)]
                entries.append((at, self.timed(kind, at, LATE_S, self.holder_asks(holder, kind))))
        for turn in range(int(plan.seconds * plan.health_rate)):
            at = turn / plan.health_rate
            entries.append((at, self.timed("health", at, LATE_S, self.health())))
        for number, at in enumerate(plan.sign_ins):
            entries.append((at, self.timed("sign_in", at, SIGN_IN_LATE_S, self.sign_in(number))))
        return entries

    async def timed(self, kind: str, at: float, late: float, asking: Coroutine[Any, Any, int]) -> None:
        status, why = 0, ""
        try:
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + self.began + at + late - time.monotonic()
            ):
                status = await asking
        except TimeoutError:
            why = "timeout"
        except Broken as error:
            why = str(error)
        self.probes.append(Probe(kind, at, time.monotonic() - self.began - at, status, why))

    # --- Who asks what ---

    async def holder_asks(self, holder: int, kind: str) -> int:
        """Every second holder keeps a connection while it is free; the others, as nginx does, open one a request."""
        token = {"Authorization": f"Token {self.plan.tokens[holder]}", "X-Forwarded-For": f"93.184.216.{holder + 1}"}
        body = self.plan.body.replace("{word}", word()) if kind == "post" else ""
        given = token | ({"Content-Type": "application/json"} if body else {})
        keeps = holder % 2 == 0
        streams = self.idle.pop(holder, None) if keeps else None
        streams = streams or await self.connect()
        message = self.message("POST" if body else "GET", self.plan.paths[kind], given, body, keep=keeps)
        answer = await self.exchange(streams, message)
        if keeps and holder not in self.idle and b"connection: close" not in answer.head.lower():
            self.idle[holder] = streams
        else:
            self.close(streams)
        return answer.status

    async def health(self) -> int:
        return (await self.once("GET", "/health")).status

    async def sign_in(self, number: int) -> int:
        """Page, form, second page: at an address and with a cookie jar that nobody has seen. 0 where a step went wrong."""
        address = {"X-Forwarded-For": f"62.{time.time_ns() // 1000 % 200}.{number + 1}.{time.time_ns() % 250 + 1}"}
        page = await self.step("page", 200, "GET", "/admin/login/", address)
        token = TOKEN.search(page.body)
        if token is None:
            raise Broken("sign-in page without a form")
        jar = cookies(page)
        form = {"csrfmiddlewaretoken": token[1].decode(), "username": self.plan.admin, "password": self.plan.password}
        given = {**address, "Cookie": jar, "Content-Type": "application/x-www-form-urlencoded"}
        query = urlencode({**form, "next": "/admin/"})
        done = await self.step("form", 302, "POST", "/admin/login/", given, query)
        second = await self.step("second page", 200, "GET", "/admin/", {**address, "Cookie": f"{jar}; {cookies(done)}"})
        return second.status

    async def step(self, name: str, wanted: int, *request: Any) -> Answer:
        answer = await self.once(*request)
        if answer.status != wanted:
            raise Broken(f"{name} {answer.status}")
        return answer

    # --- HTTP ---

    async def once(self, method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> Answer:
        streams = await self.connect()
        try:
            return await self.exchange(streams, self.message(method, path, headers or {}, body, keep=False))
        finally:
            self.close(streams)

    def message(self, method: str, path: str, headers: dict[str, str], body: str, *, keep: bool) -> bytes:
        lines = {"Host": f"127.0.0.1:{self.plan.port}", **headers}
        if body:
            lines["Content-Length"] = str(len(body))
        if not keep:
            lines["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode()

    async def connect(self) -> Streams:
        try:
            streams = await asyncio.open_connection("127.0.0.1", self.plan.port, local_addr=(PROXY, 0))
        except ConnectionRefusedError as error:
            raise Broken("refused connect") from error
        except OSError as error:
            raise Broken("no connection") from error
        self.open.add(streams)
        return streams

    def close(self, streams: Streams) -> None:
        self.open.discard(streams)
        streams[1].transport.abort()

    async def exchange(self, streams: Streams, message: bytes) -> Answer:
        reader, writer = streams
        try:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            body = await (reader.readexactly(int(length[1])) if length else reader.read())
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Broken("reset") from error
        return Answer(int(head[9:12]), head, body)


def cookies(answer: Answer) -> str:
    return "; ".join(f"{name.decode()}={value.decode()}" for name, value in COOKIES.findall(answer.head))


def main(text: str) -> None:
    prober = Prober(Plan(**json.loads(text)))
    asyncio.run(prober.run())
    told = {"began": prober.began, "probes": [astuple(probe) for probe in prober.probes]}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
