"""Reads a request's body within bounds, before a thread is asked for."""

import asyncio

from starlette.types import Receive, Scope

from makerlog.gate.answers import Answer, Refusal
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


class EncodedBody(Refusal):
    """A few KiB of it could become any size, and no app of ours ever sent one."""

    status = 415
    code = "unsupported_encoding"
    detail = "Bodies are taken as they are, without compression: send this one without Content-Encoding."

    def answer(self, request_id: str) -> Answer:
        said = super().answer(request_id)
        return said._replace(headers=[*said.headers, (b"accept-encoding", b"identity")])  # RFC 9110, 15.5.16


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


def is_encoded(scope: Scope) -> bool:
    """Whether its body must be decoded before it can be read, be it encoded for good or for the way only."""
    plain = {b"content-encoding": b"identity", b"transfer-encoding": b"chunked"}
    sent = [(name, each) for name, value in scope["headers"] if name in plain for each in value.split(b",")]
    return any(each.strip().lower() not in (plain[name], b"") for name, each in sent)


def has_body(scope: Scope) -> bool:
    return any(name in (b"transfer-encoding", b"content-length") and value != b"0" for name, value in scope["headers"])


def has_small_body(scope: Scope, most: int) -> bool:
    """Whether it says how long its body is, and that is ``most`` bytes or less."""
    lengths = [value for name, value in scope["headers"] if name in (b"transfer-encoding", b"content-length")]
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= most


class BodyTimeout(Refusal):
    status = 408
    code = "request_timeout"
    detail = "The body did not arrive in time."


class NoMemory(Refusal):
    """Bodies hold all the memory that this process has for them."""

    outcome = "shed"
    status = 503
    code = "busy"
    detail = "Too many bodies are on their way; try again in a moment."
    retry_after = 2


class Bodies:
    """Reads bodies within bounds: of size and time for each, and of memory for all that this process holds, for small ones
    apart, so that no crowd of uploads stops a write.

    ``large`` and ``small``: their bytes, while they are read and until their requests are answered.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.large = self.small = 0

    @property
    def held(self) -> int:
        return self.large + self.small

    def read(self, scope: Scope, receive: Receive, *, genuine: bool) -> "Body":
        """A context with the whole body, which is held for as long as it is open. ``genuine``: a genuine token came with it;
        only then is a large upload taken. Raises BadLength and EncodedBody, and BodyTooLarge at once when it is announced."""
        length = announced_length(scope)
        if length != 0 and is_encoded(scope):
            raise EncodedBody
        most = self.limits.upload if genuine and _is_upload(scope) else self.limits.body
        if length is not None and length > most:
            raise BodyTooLarge(most)
        return Body(self, receive, length, most)


class Body:
    """One body on its way, of so many bytes (None: nobody said how many) and at most ``most``.

    Raises, entered, BodyTooLarge as soon as it is counted, NoMemory, BodyTimeout, HungUp.
    """

    def __init__(self, bodies: Bodies, receive: Receive, length: int | None, most: int) -> None:
        self.bodies = bodies
        self.receive = receive
        self.length = length
        self.most = most
        self.large = self.small = 0  # one of them is its bytes so far
        self.bytes = b""

    async def __aenter__(self) -> bytes:
        if self.length != 0:
            try:
                await self._in_time(self.length or self.most)
            except BaseException:
                self._let_go()
                raise
        return self.bytes

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self.bodies.large -= self.large
        self.bodies.small -= self.small

    async def _in_time(self, length: int) -> None:
        limits = self.bodies.limits
        try:
            async with asyncio.timeout(limits.body_seconds + length / limits.body_rate):
                await self._gather()
        except TimeoutError:
            raise BodyTimeout from None

    async def _gather(self) -> None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise HungUp
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            self._hold(size)
            if not message.get("more_body", False):
                break
        self.bytes = chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _hold(self, size: int) -> None:
        bodies, limits = self.bodies, self.bodies.limits
        if size > self.most:
            raise BodyTooLarge(self.most)
        small, large = (size, 0) if size <= limits.small_body else (0, size)
        if bodies.small + small - self.small > limits.small_bodies or bodies.large + large - self.large > limits.bodies:
            raise NoMemory
        bodies.small += small - self.small
        bodies.large += large - self.large
        self.small, self.large = small, large


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


def _is_upload(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return bool(kinds) and kinds[0].strip().lower().startswith(b"multipart/form-data")
