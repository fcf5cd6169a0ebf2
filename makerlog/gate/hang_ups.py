"""Clients that hang up before their answer: counted, and told in one line a minute, for a flood of them is no news."""

import asyncio
import logging

log = logging.getLogger("makerlog.gate")


class HangUps:
    """Use it from one event loop only. ``total`` is there to be measured."""

    def __init__(self, every: float) -> None:
        """``every``: seconds between two lines."""
        self.every = every
        self.total = 0
        self._told = 0
        self._timer: asyncio.TimerHandle | None = None

    def count(self) -> None:
        self.total += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.every, self.tell)

    def tell(self) -> None:
        """What has not been told yet; nothing where there is nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.total > self._told:
            log.info("%d clients hung up before their answer.", self.total - self._told)
            self._told = self.total
