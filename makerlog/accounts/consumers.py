"""Streams that know who reads them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated, PermissionDenied

from makerlog.accounts.authentication import recognise, token_text
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.scopes import grants
from makerlog.accounts.suspension import is_out
from makerlog.gate.socket import BANNED, Sockets
from makerlog.live.consumers import Stream

ANYBODY = AnonymousUser()


class Admission(NamedTuple):
    """``maker``: whose token it is, with the moment it expires; None for anybody."""

    stream: str
    maker: int | None = None
    expires_at: datetime | None = None


class MakerStream(Stream):
    """``resource``: what a token must have the scope to read. ``public``: the stream that anybody follows, where that takes
    no question to the database."""

    resource: ClassVar[str]
    private: ClassVar[bool] = False
    public: ClassVar[str] = ""

    def stream_for(self, maker: Any) -> str:
        """The name of the stream for this reader, who may be ANYBODY. Http404 where there is none for them."""
        return self.public

    @property
    def named(self) -> dict[str, str]:
        """What the path says."""
        return self.scope["url_route"]["kwargs"]

    async def enter(self) -> str:
        caller = self.socket.caller
        if self.public and caller is not None and caller.token is None:
            return self.public
        admission = await self.ask(self.admit)
        if admission.maker is not None:
            self.socket.all.belongs(self.socket, admission.maker)
        if admission.expires_at is not None:
            self.socket.end_at((admission.expires_at - timezone.now()).total_seconds())
        return admission.stream

    def admit(self) -> Admission:
        reader = self.reader()
        if reader is None:
            if self.private:
                raise NotAuthenticated("This stream needs a token.")
            return Admission(self.stream_for(ANYBODY))
        maker, token = reader
        if not grants(token.scopes, self.resource, "read"):
            raise PermissionDenied(f"This token lacks the scope {self.resource}:read.", "missing_scope")
        return Admission(self.stream_for(maker), maker.pk, token.expires_at)

    def reader(self) -> tuple[Maker, AccessToken] | None:
        header = next((value for name, value in self.scope["headers"] if name == b"authorization"), None)
        caller = self.socket.caller
        return recognise(token_text(header), caller.address) if header and caller else None


class TokensOfSockets:
    """Closes the open sockets of tokens that end. Follows what is announced of tokens (see makerlog.changes)."""

    topic = "token"

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets

    def load(self) -> None:
        self.refresh(self.sockets.tokens())

    def refresh(self, keys: Iterable[str]) -> None:
        concerned = self.sockets.tokens().intersection(keys)
        if not concerned:
            return
        live = AccessToken.objects.filter(public_id__in=concerned, revoked_at=None).values_list("public_id", flat=True)
        ended = concerned.difference(live)
        self.sockets.close_where(
            lambda socket: socket.caller is not None and socket.caller.token in ended, BANNED, "This token was revoked."
        )


class MakersOfSockets:
    """Closes the open sockets of makers who are suspended, or whose account is closed or erased."""

    topic = "maker"

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets

    def load(self) -> None:
        self.refresh(map(str, self.sockets.makers()))

    def refresh(self, keys: Iterable[str]) -> None:
        concerned = self.sockets.makers().intersection(int(key) for key in keys if key.isdigit())
        if not concerned:
            return
        active = Maker.objects.filter(pk__in=concerned, is_active=True)
        ended = concerned.difference(maker.pk for maker in active if not is_out(maker))
        self.sockets.close_where(lambda socket: socket.maker in ended, BANNED, "This account is suspended or closed.")
