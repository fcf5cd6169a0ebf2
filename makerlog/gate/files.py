"""Static files and media, straight from disk: no thread of the pool, no database.

Starlette's StaticFiles finds the file and knows ranges and ETags; these subclasses add the headers and keep the
bounds. Disk is read by anyio's threads, a chunk at a time; between chunks a slow reader holds only its file.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial
from os import PathLike, stat_result
from pathlib import Path, PurePath
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from makerlog.gate.answers import OPEN, Answer, Refusal, deliver, error
from makerlog.gate.backlog import Reader
from makerlog.gate.banned import SPARED_FILES
from makerlog.gate.limits import Limits
from makerlog.gate.places import Places, Rank
from makerlog.gate.pool import NoRoom
from makerlog.gate.readers import Readers

log = logging.getLogger("makerlog.gate")

# As ManifestStaticFilesStorage names them: base.5af66c1b1797.css.
HASHED = re.compile(r"\.[0-9a-f]{12}(\.[^./]+)?$")

# What our own upload code writes. Anything else is handed over as a download, whatever it calls itself.
IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


class NoSuchFile(Refusal):
    status = 404
    code = "not_found"
    detail = "There is no such file."


class ReadOnly(Refusal):
    status = 405
    code = "method_not_allowed"
    detail = "Files are for GET and HEAD only."

    def answer(self, request_id: str) -> Answer:
        return error(self.status, self.detail, self.code, request_id, [(b"allow", b"GET, HEAD")])


class LinkIsOver(Refusal):
    status = 403
    code = "bad_link"
    detail = "This link has expired, or is not one of ours. Ask for a new one where you had it from."


class Folder(StaticFiles):
    """One folder, which need not exist yet. Raises NoSuchFile or ReadOnly instead of answering in plain text."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)

    async def check_config(self) -> None:
        """Not asked: before collectstatic and before the first upload there is no folder."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as exception:
            raise ReadOnly if exception.status_code == ReadOnly.status else NoSuchFile from exception

    def file_response(
        self, full_path: "PathLike[str] | str", stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update({name.decode(): value.decode() for name, value in OPEN})
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.update(self.headers_for(PurePath(full_path)))
        return response

    def headers_for(self, path: PurePath) -> dict[str, str]:
        raise NotImplementedError


class StaticFolder(Folder):
    """Our own scripts and styles. A hashed name never changes its content."""

    def headers_for(self, path: PurePath) -> dict[str, str]:
        if HASHED.search(path.name):
            return {"Cache-Control": "public, max-age=31536000, immutable"}
        return {"Cache-Control": "public, max-age=60"}


class MediaFolder(Folder):
    """What makers uploaded: nothing in it may run as a page of ours."""

    def headers_for(self, path: PurePath) -> dict[str, str]:
        headers = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "public, max-age=3600"}
        kind = IMAGES.get(path.suffix.lower())
        if kind is None:
            return headers | {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
        return headers | {"Content-Type": kind}


class PrivateFolder(Folder):
    """Files for whoever was given a link: ``admits`` is asked about the name of the file and the link's ``?token=``."""

    def __init__(self, directory: Path, admits: Callable[[str, str], bool]) -> None:
        super().__init__(directory)
        self.admits = admits

    async def get_response(self, path: str, scope: Scope) -> Response:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if not self.admits(path, tokens[0]):
            raise LinkIsOver
        return await super().get_response(path, scope)

    def headers_for(self, path: PurePath) -> dict[str, str]:
        return {"Cache-Control": "no-store", "Content-Disposition": "attachment"}


class Files:
    """ASGI: URL prefixes ("/static/") and their folders, at most ``files_at_once`` sends, each with a deadline; what a client
    takes is charged in bytes."""

    def __init__(self, folders: dict[str, Folder], limits: Limits) -> None:
        self.folders = folders
        self.prefixes = tuple(folders)
        self.limits = limits
        self.places = Places(limits)
        self.readers = Readers("files", limits.file_reads, limits.file_reads_back, limits.struck_clients)

    @property
    def sending(self) -> int:
        return len(self.places)

    def serve(self, path: str) -> bool:
        """Whether ``path`` belongs to a folder."""
        return path.startswith(self.prefixes)

    def bound_disk_threads(self) -> None:
        """Once per process, on its event loop. anyio's default of 40 helps nobody on a disk of ours."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = self.limits.file_threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str, reader: Reader) -> None:
        """Raises NoRoom, TooManyAtOnce, SharedSpent, NoSuchFile, ReadOnly, LinkIsOver before anything is sent."""
        self.readers.charged(reader.client)
        await self._send_file(scope, receive, _Outgoing(send, request_id, partial(self._charge, reader)), reader)

    def _charge(self, reader: Reader, size: int) -> None:
        """For bytes that were sent, but for the first unit, which was charged already."""
        self.readers.settle(reader.client, size // self.limits.file_unit)

    async def _send_file(self, scope: Scope, receive: Receive, out: "_Outgoing", reader: Reader) -> None:
        try:
            async with asyncio.timeout(self.limits.file_seconds) as timeout:
                place = self.places.take(reader.client, rank_of(reader, scope["path"]), partial(end, timeout))
                try:
                    await self._from_folder(scope, receive, out)
                finally:
                    self.places.leave(place)
        except TimeoutError as error:
            log.info("Request %s: gave up sending %s, the reader or the disk is slow.", out.request_id, scope["path"])
            raise NoRoom from error  # heard only when nothing was sent yet; otherwise the connection is closed
        await out.finish(scope["method"])

    async def _from_folder(self, scope: Scope, receive: Receive, out: "_Outgoing") -> None:
        prefix = next(prefix for prefix in self.folders if scope["path"].startswith(prefix))
        inner = {**scope, "root_path": scope.get("root_path", "") + prefix.rstrip("/")}
        await self.folders[prefix](inner, receive, out)


def rank_of(reader: Reader, path: str) -> Rank:
    if reader.genuine:
        return Rank.TOKEN
    return Rank.STAFF_PAGES if path.startswith(SPARED_FILES) else Rank.ANYBODY


def end(timeout: asyncio.Timeout) -> None:
    """It is over at the next turn of the loop."""
    timeout.reschedule(asyncio.get_running_loop().time())


class _Outgoing:
    """Adds the request id, and puts Starlette's plain-text refusals of a Range into our shape."""

    def __init__(self, send: Send, request_id: str, charge: Callable[[int], None]) -> None:
        self.send = send
        self.request_id = request_id
        self.charge = charge  # for so many bytes of the body
        self.refused: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
            self.refused = message if message["status"] >= 400 else None
        if self.refused is None:
            self.charge(len(message.get("body", b"")))
            await self.send(message)

    async def finish(self, method: str) -> None:
        if self.refused is None:
            return
        status = self.refused["status"]
        kept = [(name, value) for name, value in self.refused["headers"] if name == b"content-range"]
        answer = error(status, "The Range header cannot be satisfied.", "bad_range", self.request_id, kept)
        await deliver(answer, method, self.send)
