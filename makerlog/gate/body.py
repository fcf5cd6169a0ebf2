"""Reads a request's body within bounds, before a thread is asked for."""

import asyncio

from starlette.types import Receive, Scope

from makerlog.gate.answers import Refusal
from makerlog.gate.limits import Limits


class BadLength(Refusal):
    code = "bad_content_length"
    detail = "Content-Length must be one whole number."


class BodyTooLarge(Refusal):
    status = 413
    code = "body_too_large"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.detail = f"The body is larger than {most} bytes."


class HungUp(Exception):
    """The client is gone; nobody is left to answer."""


def announced_length(scope: Scope) -> int | None:
    """Bytes the headers announce: 0 without a body, None when chunked. Raises BadLength."""
    lengths = set()
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            lengths.add(value.strip())
    if not lengths:
        return 0
    length = lengths.pop()
    # bytes.isdigit knows ASCII digits only; 19 digits are more bytes than any disk holds.
    if lengths or not length.isdigit() or len(length) > 19:
        raise BadLength
    return int(length)


def has_body(scope: Scope) -> bool:
    return any(name in (b"transfer-encoding", b"content-length") and value != b"0" for name, value in scope["headers"])


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The whole body. Raises BadLength, BodyTooLarge (at once when announced, otherwise as soon as counted), HungUp."""
    length = announced_length(scope)
    if length == 0:
        return b""
    most = limits.upload if _is_upload(scope) else limits.body
    if length is not None and length > most:
        raise BodyTooLarge(most)
    return await _read(receive, most)


async def _read(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise BodyTooLarge(most)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def drain(receive: Receive, seconds: float) -> None:
    """Throw away what still arrives, for ``seconds`` at most.

    Closing with bytes unread makes the kernel reset the connection, and the sender loses the answer that says why.
    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def until_hung_up(receive: Receive) -> None:
    """Return when the client is gone. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def has_hung_up(receive: Receive) -> bool:
    """Whether the client is known to be gone, without waiting. The body must have been read."""
    try:
        async with asyncio.timeout(0):
            return (await receive())["type"] == "http.disconnect"
    except TimeoutError:
        return False


def _is_upload(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return bool(kinds) and kinds[0].strip().lower().startswith(b"multipart/form-data")
