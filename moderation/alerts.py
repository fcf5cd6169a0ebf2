"""What the staff are told of, wherever they are: each kind once, then a digest. Sent without the database and without Redis.

One thread a process looks every second. What it has to say goes out through a child process, so that no receiver holds up
anything; of many processes the one speaks that claims the kind, in Redis or, where that is away, on this machine's disk.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time

import redis
from django.conf import settings

from makerlog.api.store import client
from makerlog.changes.repeating import Repeating
from makerlog.gate.bans import network_of
from makerlog.gate.flood import Floods
from makerlog.gate.notes import Notes
from moderation.links import link_to_ban

log = logging.getLogger("makerlog.alerts")

EVERY_S = 1.0
DIGEST_S = 600.0  # between two messages of one kind
AWAY_S = 3.0  # before it is said that something is away
BANS, BANS_WITHIN_S = 20, 60.0  # so many bans in so long are a wave
WAITING = 20  # messages not sent yet; older ones go
SENDING_S = 30.0
TRIES = 3

Claim = Callable[[str], bool]


# --- Once, then a digest ---


@dataclass
class Told:
    at: float
    more: int = 0
    last: str = ""


class Once:
    """Of each kind the first sentence at once; what comes within DIGEST_S of it is counted, and told together. ``claim``
    says whether it is this process that speaks."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._told: dict[str, Told] = {}

    def offer(self, kind: str, sentence: str, now: float) -> list[str]:
        """What is to be said now: the sentence, or nothing."""
        told = self._told.get(kind)
        if told is not None and now - told.at < DIGEST_S:
            told.more, told.last = told.more + 1, sentence
            return []
        self._told[kind] = Told(now)
        return [sentence] if self.claim(kind) else []

    def digest(self, now: float) -> Iterator[str]:
        """What is due of what was kept back."""
        for kind, told in self._told.items():
            if told.more and now - told.at >= DIGEST_S:
                said = f"{told.more} more of this kind ({kind}) since {moment(told.at)}. The last: {told.last}"
                self._told[kind] = Told(now)
                if self.claim(kind):
                    yield said


def moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"


# --- Who speaks ---


class Claims:
    """A kind is claimed by one process for nearly as long as it is kept quiet about."""

    def __init__(self, store: redis.Redis, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def __call__(self, kind: str) -> bool:
        key = f"alert:{kind.replace(' ', '-')}"
        try:
            return bool(self.store.set(key, os.getpid(), nx=True, ex=int(DIGEST_S) - 10))
        except redis.RedisError:
            return self._on_disk(key)

    def answers(self) -> bool:
        """Whether Redis does; asked once a second."""
        try:
            return bool(self.store.ping())
        except redis.RedisError:
            return False

    def _on_disk(self, key: str) -> bool:
        """One process of this machine: the others are asked by nobody."""
        file = self.folder / f"{key.replace(':', '-')}-{int(time() // DIGEST_S)}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:
            return True  # rather twice than not at all
        for old in self.folder.iterdir():
            if old.stat().st_mtime < time() - 2 * DIGEST_S:
                old.unlink(missing_ok=True)
        return True


# --- How it is sent ---


class Outbox:
    """Messages on their way through one child at a time; what comes meanwhile goes out together, as one."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls
        self._waiting: deque[str] = deque(maxlen=WAITING)
        self._child: subprocess.Popen[bytes] | None = None
        self._under_way: list[str] = []
        self._began = 0.0
        self._tries = 0

    def put(self, sentence: str) -> None:
        if self.urls:
            self._waiting.append(sentence)

    def work(self) -> None:
        """Looks after the child; starts one if there is something to send. Waits for nothing."""
        if self._child is not None and not self._settled(self._child):
            return
        if not self._under_way and self._waiting:
            self._under_way, self._tries = list(self._waiting), 0
            self._waiting.clear()
        if self._under_way:
            self._send()

    def _send(self) -> None:
        title = f"Makerlog: {self._under_way[0].partition('.')[0][:80]}"
        told = {"urls": self.urls, "title": title, "body": "\n\n".join(self._under_way)}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "moderation.sending"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=settings.BASE_DIR,
            start_new_session=True,
        )
        self._began = monotonic()
        self._tries += 1
        if self._child.stdin is not None:  # a pipe takes so much at once, read or not
            self._child.stdin.write(json.dumps(told).encode()[:60_000])
            self._child.stdin.close()

    def _settled(self, child: subprocess.Popen[bytes]) -> bool:
        """Whether the child has ended, or was ended because it took too long."""
        if child.poll() is None:
            if monotonic() - self._began < SENDING_S:
                return False
            child.kill()
            child.wait()
        if child.returncode and self._tries < TRIES:
            log.warning("An alert could not be sent; it is tried again.")
        else:
            if child.returncode:
                log.error("An alert could not be sent: %s", " ".join(self._under_way))
            self._under_way = []
        self._child = None
        return True


# --- What is looked at ---


class Away:
    """Says once that something is away, when it has been for AWAY_S, and once that it is back."""

    def __init__(self, name: str, answers: Callable[[], bool]) -> None:
        self.name = name
        self.answers = answers
        self._since: float | None = None
        self._said = False

    def look(self, now: float) -> Iterator[tuple[str, str]]:
        """Kinds and sentences."""
        if self.answers():
            if self._said:
                yield f"{self.name} back", f"{self.name} answers again."
            self._since, self._said = None, False
            return
        self._since = self._since or now
        if not self._said and now - self._since >= AWAY_S:
            self._said = True
            yield f"{self.name} away", f"{self.name} does not answer."


class Alerts(Repeating):
    """``away``: what is watched for being away. ``hear`` may be called from any thread; ``listeners`` get all that is
    noticed, said or not."""

    name = "alerts"
    every = EVERY_S

    def __init__(self, floods: Floods, notes: Notes, away: list[Away], outbox: Outbox, claim: Claim) -> None:
        super().__init__()
        self.floods = floods
        self.notes = notes
        self.away = away
        self.outbox = outbox
        self.once = Once(claim)
        self.listeners: list[Callable[[str, str, float], None]] = []
        self._heard: deque[tuple[str, str]] = deque(maxlen=100)
        self._bans: deque[float] = deque(maxlen=BANS)
        self._flooded = False
        self._slipped = 0
        self._untrusted_at = 0.0

    def hear(self, kind: str, sentence: str) -> None:
        self._heard.append((kind, sentence))

    def hear_of_bans(self, count: int, now: float) -> None:
        """So many were set, by whomever."""
        self._bans.extend([now] * min(count, BANS))
        if len(self._bans) == BANS and now - self._bans[0] <= BANS_WITHIN_S:
            self._bans.clear()
            self.hear("ban wave", f"A wave of bans: {BANS} or more within a minute. {settings.PUBLIC_URL}/admin/")

    def work(self) -> None:
        try:
            self.look(time())
            self.outbox.work()
        except Exception:  # the thread must not end over anything
            log.exception("The alerts stumbled; they go on.")

    def look(self, now: float) -> None:
        for kind, sentence in self.noticed(now):
            log.warning("%s", sentence)
            for listener in self.listeners:
                listener(kind, sentence, now)
            for said in self.once.offer(kind, sentence, now):
                self.outbox.put(self.with_link(kind, said, now))
        for said in self.once.digest(now):
            self.outbox.put(said)

    def noticed(self, now: float) -> Iterator[tuple[str, str]]:
        while self._heard:
            yield self._heard.popleft()
        for each in self.away:
            yield from each.look(now)
        if (slipped := self.notes.slipped) > self._slipped:
            self._slipped = slipped
            yield "ban not biting", f"A ban does not bite: {slipped} answers went to banned addresses so far."
        yield from self.untrusted(now)
        flooded, before = self.floods.on(int(now)), self._flooded
        self._flooded = flooded
        if flooded and not before:
            yield "flood", self.about_flood(now)

    def untrusted(self, now: float) -> Iterator[tuple[str, str]]:
        """A proxy that TRUSTED_PROXIES does not name: noticed once in DIGEST_S, for as long as it forwards."""
        at = self.notes.forwarders.forwarded_at
        if at > self._untrusted_at and now - self._untrusted_at >= DIGEST_S:
            self._untrusted_at = now
            yield (
                "untrusted proxy",
                f"{self.notes.untrusted_peer} forwards requests, and TRUSTED_PROXIES does not name it. If it is your proxy,"
                " no ban of a client bites, and one of it hits everybody.",
            )

    def about_flood(self, now: float) -> str:
        away, top = self.floods.turned_away(int(now)), self.floods.loudest(int(now))
        whom = f" The top talker is {top.client}, {top.a_second:.0f} requests a second." if top else ""
        return f"A flood began. One process turns away {away:.0f} requests a second.{whom}"

    def with_link(self, kind: str, sentence: str, now: float) -> str:
        """The link stands in the message alone: no log and no record holds it."""
        top = self.floods.loudest(int(now))
        if kind != "flood" or top is None:
            return sentence
        url = link_to_ban(network_of(top.client))
        return f"{sentence} To see whom a ban would hit, and to set it for an hour: {url} (works once, for 30 minutes)."


def claims() -> Claims:
    return Claims(
        client(settings.REDIS_URL, connect=1, answer=1), Path(tempfile.gettempdir()) / f"makerlog-alerts-{os.getuid()}"
    )
