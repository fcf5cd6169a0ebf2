"""Ports for services that a test starts."""

import contextlib
import random
import socket

# Below those that the system gives to outgoing connections, which come and go at any moment.
RANGE = range(20_000, 30_000)


def free_port() -> int:
    """One that a service may listen on at all addresses."""
    for port in random.sample(RANGE, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))  # noqa: S104 - as gunicorn and nginx will
            return port
    raise AssertionError("no port is free")
