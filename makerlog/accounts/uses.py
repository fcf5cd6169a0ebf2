"""When tokens were used last, and from where: noted by the requests that use them, written a second later for all of them.

A read that writes waits for the disk, and an hour of many makers would be an hour of many writes, one each. Where nobody
writes what is noted, as in a command, it is written at once. A process that is killed loses its last second of it.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from makerlog.accounts.identity import never
from makerlog.accounts.models import AccessToken
from makerlog.api.reader import execute

MOST = 10_000  # tokens that wait to be written; others are noted when they are used again
AT_ONCE = 2_000

# A token that somebody is changing just now is passed over, so that nobody waits for a note, and no two processes for each
# other: it is noted again within minutes.
WRITE = f"""UPDATE {AccessToken._meta.db_table} AS token SET last_used_at = used.at, last_used_from = used.address
FROM unnest(%s::bigint[], %s::timestamptz[], %s::inet[]) AS used(id, at, address)
WHERE token.id = used.id AND (token.last_used_at IS NULL OR token.last_used_at < used.at) AND token.id IN (
    SELECT id FROM {AccessToken._meta.db_table} WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED
)
"""  # noqa: S608


class Use(NamedTuple):
    at: datetime
    address: str | None  # None: not known


class Uses:
    """Those of this process. ``written``: whether somebody calls ``write`` again and again."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.written: Callable[[], bool] = never
        self._noted: dict[int, Use] = {}  # by token
        self._lock = Lock()

    def note(self, token: int, use: Use) -> None:
        if self.written():
            self._keep(token, use)
        else:
            write({token: use})

    def _keep(self, token: int, use: Use) -> None:
        with self._lock:
            if token in self._noted or len(self._noted) < self.most:
                self._noted[token] = use

    def write(self) -> None:
        """What was noted. Raises DatabaseError or InterfaceError; then nothing is lost."""
        with self._lock:
            taken = {token: self._noted.pop(token) for token in list(self._noted)[:AT_ONCE]}
        try:
            if taken:
                write(taken)
        except BaseException:
            with self._lock:
                self._noted = taken | self._noted
            raise


def write(noted: dict[int, Use]) -> None:
    ids = list(noted)
    execute(WRITE, [ids, [each.at for each in noted.values()], [each.address for each in noted.values()], ids])


uses = Uses()
