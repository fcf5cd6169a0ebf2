"""How much is measured: `make bench`, `QUICK=1 make bench` (a few minutes), `FULL=1 make bench` (an hour and more)."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    name: str
    tasks: int  # in the database that most is measured on
    makers: int
    grown: int  # tasks of the database held against the small one
    deep: int  # the page held against the first
    rounds: int  # of which the median counts
    seconds: float  # one round
    mixed: tuple[int, int]  # requests after which the memory of a worker is read
    sockets: int = 500
    clone: bool = False  # whether a clone is set up anew


QUICK = Size("quick", 50_000, 2_000, 50_000, 1_000, rounds=3, seconds=1.0, mixed=(1_000, 3_000), sockets=200)
STANDARD = Size("standard", 1_000_000, 20_000, 1_000_000, 10_000, rounds=7, seconds=3.0, mixed=(1_000, 100_000))
FULL = Size("full", 1_000_000, 20_000, 10_000_000, 10_000, rounds=11, seconds=5.0, mixed=(1_000, 100_000), clone=True)

SIZE = QUICK if os.environ.get("QUICK") else FULL if os.environ.get("FULL") else STANDARD
SMALL = 10_000  # tasks
CONNECTIONS = 8
CALLERS = 200  # makers, each with a token: so many that nobody meets a limit
