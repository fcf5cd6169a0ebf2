"""What was posted lately, by token, as the rules against spam count it. Read off the tables themselves, by their keys: so
every process knows what all of them took in, and nothing stands in the way of who posts."""

import hashlib
import re
from collections import Counter, deque
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import F
from django.db.models.functions import Left

from discussions.models import Discussion, Reply
from products.models import Product
from tasks.models import Task, TaskComment

MANY, REPEATS = "spam", "spam-repeats"
AT_ONCE = 2_000  # rows of a kind read in one look; more are left for the next
MOST = 50_000  # posts remembered
TODAY = timedelta(days=1)  # what is older when it is posted is an import


class Source(NamedTuple):
    """``text``: the field whose words tell one post from another; ``day``: of when a post is, where makers may say so."""

    model: Any
    text: str
    day: str = "created_at"


SOURCES = (
    Source(Task, "content", day="worked_at"),
    Source(TaskComment, "content"),
    Source(Product, "name"),
    Source(Discussion, "title"),
    Source(Reply, "body"),
)

LINK = re.compile(r"(?<!\w)\w{1,20}://\S+")
NO_LETTER = re.compile(r"[\W\d_]+")
READ = 2_000  # characters of a text that are looked at; the database sends no more
KEPT = 120  # characters, of those, that tell one text from another


def fingerprint(content: str) -> bytes:
    """The same for texts that differ in case, numbers, signs, spaces and links only; b"" where nothing else is there."""
    words = NO_LETTER.sub(" ", LINK.sub(" ", content[:READ].casefold())).strip()
    return hashlib.blake2b(words[:KEPT].encode(), digest_size=8).digest() if words else b""


class Posts:
    """Of the last ``window`` seconds."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.last: dict[Any, int] = {}  # of each kind, the row up to which was read
        self._posts: deque[tuple[float, int, bytes]] = deque()
        self._many: Counter[int] = Counter()
        self._repeats: Counter[tuple[int, bytes]] = Counter()

    def read(self, now: float) -> None:
        """What is new. The first time: from here on."""
        for source in SOURCES:
            if source.model in self.last:
                self._read(source)
            else:
                newest = source.model.objects.order_by("-pk").values_list("pk", flat=True).first()
                self.last[source.model] = newest or 0
        while self._posts and (self._posts[0][0] < now - self.window or len(self._posts) > MOST):
            self._drop()

    def _read(self, source: Source) -> None:
        rows = source.model.objects.filter(pk__gt=self.last[source.model]).order_by("pk")
        fields = ("pk", "posted_with", Left(source.text, READ), "created_at", F(source.day))
        for pk, token, text, created, day in rows.values_list(*fields)[:AT_ONCE]:
            self.last[source.model] = pk
            if token is not None and created - day < TODAY:
                self._add(created.timestamp(), token, fingerprint(text))

    def _add(self, at: float, token: int, text: bytes) -> None:
        self._posts.append((at, token, text))
        self._many[token] += 1
        if text:
            self._repeats[token, text] += 1

    def _drop(self) -> None:
        _, token, text = self._posts.popleft()
        self._many[token] -= 1
        if not self._many[token]:
            del self._many[token]
        if text:
            self._repeats[token, text] -= 1
            if not self._repeats[token, text]:
                del self._repeats[token, text]

    def counted(self) -> dict[str, dict[str, int]]:
        repeats: dict[str, int] = {}
        for (token, _), count in self._repeats.items():
            subject = f"token:{token}"
            repeats[subject] = max(count, repeats.get(subject, 0))
        return {MANY: {f"token:{token}": count for token, count in self._many.items()}, REPEATS: repeats}
