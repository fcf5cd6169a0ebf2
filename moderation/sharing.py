"""What a switch does to the answers that the front door shares (makerlog.gate.sharing)."""

from collections.abc import Callable

CACHED_S = 10.0  # for which an answer of a `cached` route is anybody's, instead of one second


class AnswersOfRoutes:
    """Follows moderation.models.RouteSwitch: what was shared before a switch is not given after it. Subscribed after the
    switches themselves, so that what is asked anew meets them."""

    topic = "route"

    def __init__(self, forget: Callable[[], None]) -> None:
        self.load = forget

    def refresh(self, keys: list[str]) -> None:
        self.load()
