"""What was posted lately, by token, as the rules against task spam count it. Read off the table itself, by its key: so every
process knows what all of them took in, and nothing stands in the way of who posts."""

import hashlib
import re
from collections import Counter, deque
from datetime import timedelta

from tasks.models import Task

MANY, REPEATS = "task-spam", "task-repeats"
AT_ONCE = 2_000  # tasks read in one look; more are left for the next
MOST = 50_000  # tasks remembered
TODAY = timedelta(days=1)  # what is older when it is posted is an import

LINK = re.compile(r"\w+://\S+")
NO_LETTER = re.compile(r"[\W\d_]+")
KEPT = 120  # characters that tell one text from another


def fingerprint(content: str) -> bytes:
    """The same for texts that differ in case, numbers, signs, spaces and links only; b"" where nothing else is there."""
    words = NO_LETTER.sub(" ", LINK.sub(" ", content.casefold())).strip()
    return hashlib.blake2b(words[:KEPT].encode(), digest_size=8).digest() if words else b""


class Posts:
    """Of the last ``window`` seconds."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.last: int | None = None  # the task up to which was read
        self._posts: deque[tuple[float, int, bytes]] = deque()
        self._many: Counter[int] = Counter()
        self._repeats: Counter[tuple[int, bytes]] = Counter()

    def read(self, now: float) -> None:
        """What is new. The first time: from here on."""
        if self.last is None:
            newest = Task.objects.order_by("-pk").values_list("pk", flat=True).first()
            self.last = newest or 0
        rows = Task.objects.filter(pk__gt=self.last).order_by("pk")
        for pk, token, content, created, worked in rows.values_list(
            "pk", "posted_with", "content", "created_at", "worked_at"
        )[:AT_ONCE]:
            self.last = pk
            if token is not None and created - worked < TODAY:
                self._add(created.timestamp(), token, fingerprint(content))
        while self._posts and (self._posts[0][0] < now - self.window or len(self._posts) > MOST):
            self._drop()

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
