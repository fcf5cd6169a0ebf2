"""The streams of products, which tell of the tasks filed under them (see tasks.events)."""

from collections.abc import Iterable

from makerlog.live.events import resync

TEAM = ":team"


def of_product(product: int) -> str:
    return f"product:{product}"


def of_team(product: int) -> str:
    return f"product:{product}{TEAM}"


def announce_refiling(products: Iterable[int]) -> None:
    """Many tasks stand under these products now, or under them no longer, or show something of them that is new."""
    resync(name for product in sorted(products) for name in (of_product(product), of_team(product)))
