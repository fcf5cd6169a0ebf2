"""The base of every stream: a channels consumer without a channel layer, whose events come from the hub."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.http import Http404
from rest_framework.exceptions import APIException
from starlette.types import Receive, Scope, Send

from makerlog.gate.answers import Refusal
from makerlog.gate.pool import NoRoom
from makerlog.gate.reception import NoSuchStream
from makerlog.gate.socket import Socket
from makerlog.live.events import frame
from makerlog.live.hub import hub

logger = logging.getLogger("makerlog.live")

T = TypeVar("T")


class Declined(Refusal):
    """What a view would answer, for a socket."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__()
        self.status = status  # type: ignore[misc]
        self.detail = detail


class Stream(AsyncConsumer):
    """One socket that follows one stream from its start to its end."""

    socket: Socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The gate has let the socket in. Raises a Refusal where it may not follow. It is open once it follows its stream."""
        self.socket = scope["socket"]
        self.scope = scope
        stream = await self.enter()
        hub.join(stream, self.socket, self.paths())
        try:
            await self.socket.open(send)
            await super().__call__(scope, receive, send)
        finally:
            hub.leave(stream, self.socket)

    async def enter(self) -> str:
        """The name of the stream that this socket follows."""
        raise NotImplementedError

    def paths(self) -> list[str]:
        """Where REST answers what this stream shows: what a ``resync`` frame has its followers read again."""
        raise NotImplementedError

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Not channels' own: that goes through one thread of the process, for each message."""
        if message["type"] == "websocket.disconnect":
            raise StopConsumer
        await self.heard(message.get("text") or "")

    async def heard(self, text: str) -> None:
        """What clients may say is a frame too. What nobody here knows is passed over, as old servers did."""
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return await self.tell("error", {"detail": "This is not JSON.", "code": "parse_error"})
        if isinstance(said, dict):
            payload = said.get("payload")
            await self.answer(said.get("type"), payload if isinstance(payload, dict) else {})
        return None

    async def answer(self, kind: Any, payload: dict[str, Any]) -> None:
        """What this stream answers to a frame of ``kind``: by default nothing."""

    async def tell(self, kind: str, payload: Any, **more: Any) -> None:
        await self.send({"type": "websocket.send", "text": frame(kind, payload, **more).decode()})

    async def ask(self, work: Callable[[], T]) -> T:
        """What ``work``, which may ask the database, returns. It runs in a thread of the caller's lane."""
        outcome = await self.scope["ask"](lambda: attempted(work))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome


def attempted(work: Callable[[], T]) -> T | Refusal:
    """What ``work`` returns, or why not, on this thread's own database connection."""
    close_old_connections()
    try:
        return work()
    except APIException as error:
        return Declined(error.status_code, str(error.detail))
    except Http404:
        return NoSuchStream()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The database did not answer a socket: %s", error)
        return NoRoom()
    finally:
        close_old_connections()
