"""Follows the files that name our proxies and the CDN's ranges, so that they change without a restart: in an attack, when a
service moves behind a CDN, a restart is the last thing one wants."""

import logging
import threading
from collections.abc import Sequence

from makerlog.env import Networks, SettingError

log = logging.getLogger("makerlog.gate")

EVERY_S = 1.0  # and what reads the same twice is in force: within some two seconds


class Follower:
    """A service of the front door's: looks at each file of ``lists`` again and again. What cannot be used is said once, and
    what was in force stays so."""

    def __init__(self, lists: Sequence[Networks], every: float = EVERY_S) -> None:
        self.lists = [each for each in lists if each.path is not None]
        self.every = every
        self._said: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self.lists:
            self._stop.clear()
            self._thread = threading.Thread(target=self._repeat, name="proxies", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def _repeat(self) -> None:
        while not self._stop.wait(self.every):
            for each in self.lists:
                self.look(each)

    def look(self, each: Networks) -> None:
        try:
            if each.follow():
                log.warning("%s: in force now: %s", each.name, each)
                self._said.pop(each.name, None)
        except SettingError as error:
            if self._said.get(each.name) != str(error):
                self._said[each.name] = str(error)
                log.error("%s Still in force: %s", error, each)
