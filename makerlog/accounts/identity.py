"""Who holds a token, in the memory of this process: what every request asks, and seldom changes.

Threat: an answer from memory outlives a revocation, a suspension or a role. So what is remembered is dropped by the changes
that the watcher hears of (makerlog.changes), within a second, and not believed while the watcher hears nothing: then the
database is asked each time, as it is wherever no watcher runs.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import orjson
from django.db.models import Model
from django.db.models.base import ModelState

from makerlog.accounts.models import AccessToken

MOST = 10_000  # of some 3 KB each
# Of a maker, what says who they are and what they may. The rest is fetched by whoever asks for it.
OF_MAKER = (
    "id is_active is_staff is_superuser is_moderator timezone date_joined suspended suspended_until suspension_reason"
).split()
IDENTITY = (*(field.attname for field in AccessToken._meta.concrete_fields), *(f"maker__{name}" for name in OF_MAKER))

M = TypeVar("M", bound=Model)


def never() -> bool:
    return False


class Identities:
    """Tokens with their makers, those last used. ``trusted``: whether changes are heard of at the moment."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.trusted: Callable[[], bool] = never
        self.drops = 0
        self._known: OrderedDict[str, AccessToken] = OrderedDict()
        self._lock = Lock()

    def find(self, public_id: str) -> AccessToken | None:
        """The token and its maker: as they are now, at most a second late. Who asks gets copies of their own."""
        if self.trusted():
            with self._lock:
                kept = self._known.get(public_id)
                if kept is not None:
                    self._known.move_to_end(public_id)
                    return twin(kept, maker=twin(kept.maker))
        return self.look_up(public_id)

    def recall(self, public_id: str) -> AccessToken | None:
        """What is remembered of a token, to look at only; None also where the database would know it."""
        return self._known.get(public_id) if self.trusted() else None

    def look_up(self, public_id: str) -> AccessToken | None:
        drops = self.drops
        found = AccessToken.objects.select_related("maker").only(*IDENTITY).filter(public_id=public_id).first()
        if found is not None and self.trusted():
            self._keep(twin(found, maker=twin(found.maker)), drops)
        return found

    def _keep(self, token: AccessToken, drops: int) -> None:
        with self._lock:
            if drops != self.drops:
                return  # something was dropped since it was read: perhaps just this
            self._known[token.public_id] = token
            if len(self._known) > self.most:
                self._known.popitem(last=False)

    def used(self, token: AccessToken) -> None:
        """``token`` was noted as used: what is remembered of it says so, too."""
        with self._lock:
            if kept := self._known.get(token.public_id):
                kept.last_used_at = token.last_used_at

    def drop(self, is_gone: Callable[[AccessToken], bool]) -> None:
        with self._lock:
            self.drops += 1
            for public_id in [public_id for public_id, token in self._known.items() if is_gone(token)]:
                del self._known[public_id]


class Follows:
    """One topic of the journal. ``name``: what its keys name of a token."""

    def __init__(self, topic: str, name: Callable[[AccessToken], str], identities: Identities) -> None:
        self.topic, self.name, self.identities = topic, name, identities

    def load(self) -> None:
        self.identities.drop(lambda token: True)

    def refresh(self, keys: list[str]) -> None:
        gone = set(keys)
        self.identities.drop(lambda token: self.name(token) in gone)


def twin(row: M, **related: Any) -> M:
    """A copy that can be changed: what is not loaded is loaded into it alone."""
    other = object.__new__(type(row))
    other.__dict__.update(row.__dict__)
    other._state = ModelState()
    other._state.db, other._state.adding = row._state.db, False
    other._state.fields_cache = related
    return other


CHANGED = "identities"  # a stream that every process follows, and no socket


def hear_change(frame: bytes) -> None:
    """A maker's zone was just set: their next request has it. Where Redis is away, the watcher drops it within a second."""
    drop_maker(orjson.loads(frame)["payload"]["maker"])


def drop_maker(pk: int) -> None:
    identities.drop(lambda token: token.maker_id == pk)


identities = Identities()
followers = (
    Follows("token", lambda token: token.public_id, identities),
    Follows("maker", lambda token: str(token.maker_id), identities),
)
