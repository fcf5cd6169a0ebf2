"""Hosts of their own on one bridge: network namespaces, gone when the test is over, also after a crash of an earlier one."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tests.debian import needs, needs_namespaces

BRIDGE = "mklog0"
HERE = "10.77.0.1"  # where the test, nginx and the data servers live


@dataclass(frozen=True)
class Host:
    """``addresses``: of two containers, the one that serves and the one that takes over from it."""

    name: str
    addresses: tuple[str, str]
    link: str

    @property
    def within(self) -> list[str]:
        """What a command on this host begins with."""
        return [needs("ip"), "netns", "exec", self.name]

    def cut(self) -> None:
        """Nothing reaches it any more, and nobody is told."""
        ip("link", "set", self.link, "down")

    def join(self) -> None:
        ip("link", "set", self.link, "up")


@contextlib.contextmanager
def network(hosts: int) -> Iterator[list[Host]]:
    needs_namespaces()
    made = [Host(f"mklog-{n}", (f"10.77.0.{10 + n}", f"10.77.0.{20 + n}"), f"mklog{n}") for n in range(1, hosts + 1)]
    remove(made)
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("address", "add", f"{HERE}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for host in made:
            add(host)
        yield made
    finally:
        remove(made)


def add(host: Host) -> None:
    ip("netns", "add", host.name)
    ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("link", "set", host.link, "master", BRIDGE, "up")
    for address in host.addresses:
        ip("-n", host.name, "address", "add", f"{address}/24", "dev", "eth0")
    ip("-n", host.name, "link", "set", "eth0", "up")
    ip("-n", host.name, "link", "set", "lo", "up")


def remove(hosts: list[Host]) -> None:
    for host in hosts:
        ip("netns", "delete", host.name, must=False)
        ip("link", "delete", host.link, must=False)
    ip("link", "delete", BRIDGE, must=False)


def ip(*arguments: str, must: bool = True) -> None:
    done = subprocess.run([needs("ip"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0 or not must, f"ip {' '.join(arguments)}: {done.stderr}"
