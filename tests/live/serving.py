"""The service's own streams behind a front door of its own, and clients that follow them."""

import contextlib
import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from discussions.consumers import DiscussionsOfSockets
from makerlog.accounts.authentication import genuine_token
from makerlog.accounts.consumers import MakersOfSockets, TokensOfSockets
from makerlog.accounts.revoked import revoked
from makerlog.changes.watch import Watcher
from makerlog.env import Network
from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from makerlog.gate.socket import Socket
from makerlog.live.hub import hub
from makerlog.routing import streams
from moderation.routes import refuse_stream
from moderation.standing import Bans, route_switches
from tasks.consumers import TeamsOfSockets
from tests.gate.serving import DEADLINE_S, mirror, serve, until

QUIET_S = 0.4  # in which what was told would have come


@dataclass
class Reader:
    """One client's socket. Frames are dicts."""

    socket: ClientConnection

    def frame(self) -> dict[str, Any]:
        return json.loads(self.socket.recv(DEADLINE_S))

    def hears_nothing(self) -> bool:
        with contextlib.suppress(TimeoutError):
            self.socket.recv(QUIET_S)
            return False
        return True

    def say(self, kind: str, **payload: Any) -> None:
        self.socket.send(json.dumps({"type": kind, "payload": payload}))

    def closed(self, seconds: float = DEADLINE_S) -> tuple[int, str]:
        """The code and the reason with which the server closes."""
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  (what is still on its way is read first)
            while True:
                self.socket.recv(seconds)
        assert closed.value.rcvd is not None, "cut off without a word"
        return closed.value.rcvd.code, closed.value.rcvd.reason


@dataclass
class Live:
    door: FrontDoor
    port: int
    stack: contextlib.ExitStack

    def follow(self, path: str, token: str = "", **headers: str) -> Reader:
        """A socket on ``path`` that has been let in, or refused, by the time something else is told."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Token {token}"} if token else {}
        address = f"ws://127.0.0.1:{self.port}{path}"
        socket = connect(address, additional_headers=sent, ping_interval=None, open_timeout=DEADLINE_S, proxy=None)
        return Reader(self.stack.enter_context(socket))

    def follows(self, path: str, token: str = "", **headers: str) -> Reader:
        """The same, which was let in: then it follows its stream as soon as it is open."""
        before = followers()
        reader = self.follow(path, token, **headers)
        assert followers() - before  # not their number: one that closed just now may leave after this one came
        return reader

    @property
    def following(self) -> int:
        return len(followers())


def followers() -> set[Socket]:
    return {socket for sockets in list(hub._followers.values()) for socket in list(sockets)}


@contextlib.contextmanager
def live(trusted: Sequence[Network] = (), limits: Limits | None = None) -> Iterator[Live]:
    """As asgi.py composes it, with bans and a watcher of its own."""
    bans = BanIndex()
    watcher = Watcher([Bans(bans), revoked], every=0.1)
    door = FrontDoor(
        mirror,
        trusted=trusted,
        limits=limits,
        guard=BanGuard(bans, Notes()),
        recognise=genuine_token,
        services=[watcher, hub],
        streams=streams,
        switches=refuse_stream,
    )
    watcher.subscribers += [
        TokensOfSockets(door.sockets),
        MakersOfSockets(door.sockets),
        TeamsOfSockets(),
        DiscussionsOfSockets(),
        route_switches,
    ]
    watcher.listeners.append(door.bans_changed)
    with serve(door) as service, contextlib.ExitStack() as stack:
        until(lambda: hub.connected and watcher.version is not None)
        yield Live(door, service.port, stack)
    gc.collect()  # the threads are gone; so that their database connections are too
