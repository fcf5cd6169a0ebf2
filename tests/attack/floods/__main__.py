"""`make attack`, or some of it: `python -m tests.attack.floods lists kill`; QUICK=1 takes about two minutes.

Floods offer six times what plain DRF answers on the same machine, so that tables of different machines can be read beside
each other; RATE=1000 offers so many a second.
THROUGH=nginx puts nginx in between, as on Dokku: run it with and without, and read the tables beside each other.

Prints a line as each row is done and a table at the end. Exit code 1 when a bound was missed, 2 when the attack itself
could not go on, 130 on Ctrl-C; whatever was started is gone by then.
"""

import os
import signal
import sys
import time
from statistics import median
from typing import NoReturn

from deploy.embedded import EmbeddedError
from tests.attack.floods import service
from tests.attack.floods.bounds import Row
from tests.attack.floods.run import TIMES_STOCK, Run
from tests.attack.floods.scenarios import NOT_IN_QUICK, SCENARIOS, connections, served_by_stock

TIMES_MEASURED = 3  # plain DRF, of which the median counts: all floods of a run hang on it


def main(names: list[str]) -> int:
    quick = os.environ.get("QUICK", "") not in ("", "0")
    if unknown := [name for name in names if name not in SCENARIOS]:
        say(f"There is no flood {unknown[0]!r}; there are {', '.join(SCENARIOS)}.")
        return 2
    if os.environ.get("THROUGH", "") not in ("", "nginx"):
        say("THROUGH may be nginx, or unset.")
        return 2
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, interrupted)
    try:
        rows = attack(names or [name for name in SCENARIOS if not (quick and name in NOT_IN_QUICK)], quick)
    except (service.AttackError, EmbeddedError) as error:
        say(f"Error: {error}")
        return 2
    except KeyboardInterrupt:
        say("Stopped; everything that was started is gone.")
        return 130
    return 0 if all(row.passed for row in rows) else 1


def interrupted(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def attack(names: list[str], quick: bool) -> list[Row]:
    rows: list[Row] = []
    began = time.monotonic()
    through = os.environ.get("THROUGH", "")
    with service.serving(through=through) as served, service.Sessions(served.data_dir) as sessions:
        say(
            f"{service.WORKERS} workers, {service.DESCRIPTORS} descriptors, on {os.cpu_count()} cores with the attacker"
            f"{', through nginx' if through else ''}."
        )
        run = Run(served, sessions, quick)
        run.warm_up()
        run.rate = rate_for(run)
        say(f"Floods offer {run.rate:.0f} requests a second unless said otherwise.")
        for name in names:
            for row in SCENARIOS[name](run):
                rows.append(row)
                tell(row)
        rows.append(connections(run))
        tell(rows[-1])
    say(f"Unloaded p50 of the token holders in this run: {run.spread()}; {time.monotonic() - began:.0f} s in all.")
    table(rows)
    return rows


def rate_for(run: Run) -> float:
    """RATE, or what is much for this machine: attacker and service share its cores, whatever they can."""
    if asked := os.environ.get("RATE"):
        return float(asked)
    found = [served_by_stock(run) for _ in range(TIMES_MEASURED)]
    stock = median(found)
    say(f"Plain DRF answers {stock:.0f} lists a second here ({', '.join(f'{each:.0f}' for each in found)}).")
    return TIMES_STOCK * stock


def tell(row: Row) -> None:
    say(f"{mark(row)} {row.name}: {row.figures}")
    for check in row.checks:
        say(f"       {'    ' if check.met else 'MISS'} {check.told}")


def table(rows: list[Row]) -> None:
    say("")
    wide = max(len(row.name) for row in rows)
    for row in rows:
        missed = [check.told for check in row.checks if not check.met]
        say(f"{mark(row)}  {row.name:<{wide}}  {'; '.join(missed) or '; '.join(check.told for check in row.checks)}")
    failed = sum(not row.passed for row in rows)
    say(f"{len(rows) - failed} of {len(rows)} rows within their bounds.")


def mark(row: Row) -> str:
    return "pass" if row.passed else "FAIL"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
