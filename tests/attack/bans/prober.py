"""Asks every worker for /health again and again, from a process of its own: the event loop answers it, so how long that takes
is at least how far the loop is behind. Prints the milliseconds as JSON. Bounded: ``python -m ... PORT SECONDS``."""

import json
import sys
import time
from http.client import HTTPConnection

CONNECTIONS = 8  # so that no worker is left out: the kernel deals them out
EVERY_S = 0.01


def main(port: int, seconds: float) -> list[float]:
    connections = [HTTPConnection("127.0.0.1", port, timeout=5) for _ in range(CONNECTIONS)]
    ends, found = time.monotonic() + seconds, []
    while time.monotonic() < ends:
        for connection in connections:
            began = time.perf_counter()
            connection.request("GET", "/health")
            connection.getresponse().read()
            found.append((time.perf_counter() - began) * 1000)
            time.sleep(EVERY_S / CONNECTIONS)
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]))))  # noqa: T201
