"""How much is measured: `make bench`, with `QUICK=1` (two minutes) or `FULL=1` (an hour and more)."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    name: str = "standard"
    tasks: int = 1_000_000  # in the database that most is measured on
    makers: int = 20_000
    grown: int = 1_000_000  # tasks of the database held against the small one
    small: int = 10_000
    deep: int = 10_000  # the page held against the first
    rounds: int = 7  # of which the median counts
    seconds: float = 3.0  # one round
    warm: float = 4.0  # what the round before the first may take, which does not count
    mixed: tuple[int, int] = (1_000, 100_000)  # requests after which the memory of a worker is read
    sockets: int = 500
    bans: int = 100_000
    clone: bool = False  # whether a clone is set up anew


STANDARD = Size()
FULL = Size("full", grown=10_000_000, rounds=11, seconds=5.0, clone=True)
QUICK = Size(
    "quick",
    tasks=12_000,
    makers=1_000,
    grown=12_000,
    small=2_000,
    deep=250,
    rounds=5,
    seconds=0.5,
    warm=1.0,
    mixed=(1_000, 2_000),
    sockets=200,
    bans=20_000,
)

SIZE = QUICK if os.environ.get("QUICK") else FULL if os.environ.get("FULL") else STANDARD
CONNECTIONS = 8
CALLERS = 200  # makers, each with a token: so many that nobody meets a limit
