"""The refusal of a banned client: one decision and one answer, for the front door and for Django's middleware."""

from datetime import UTC, datetime

from makerlog.gate.answers import Refusal
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.notes import Notes

# Where staff sign in: their phone may sit in a banned network. What keeps a flood off it are limits of its own.
SPARED = ("/admin/login/", "/admin/login")

# Within so many seconds a ban reaches every process.
REACH_S = 1.0


class Banned(Refusal):
    """403, with what its client may know and how to appeal."""

    status = 403
    code = "banned"

    def __init__(self, standing: Standing, appeal: str) -> None:
        super().__init__()
        self.standing = standing
        self.appeal = appeal

    @property
    def body(self) -> dict[str, object]:
        ban = self.standing
        until = (
            None
            if ban.expires_at is None
            else datetime.fromtimestamp(ban.expires_at, UTC).isoformat(timespec="seconds")
        )
        who = "This address is banned" if ban.applies_to == "everything" else "Requests without a token are banned here"
        when = f" until {until}" if until else ""
        why = f": {ban.reason}" if ban.reason else ""
        detail = f"{who}{when}{why}. If that is wrong, write to {self.appeal} and name ban {ban.id}."
        return {"detail": detail, "code": self.code, "ban": ban.id, "expires_at": until, "reason": ban.reason or None}


def refuse_if_banned(
    bans: BanIndex, notes: Notes, path: str, address: str, *, genuine: bool, now: float, appeal: str
) -> None:
    """Raises Banned, and counts it. ``genuine``: the request carries a genuine token."""
    if path in SPARED:
        return
    standing = bans.refusal(address, genuine=genuine, now=now)
    if standing is not None:
        notes.refused(standing.id, now)
        raise Banned(standing, appeal)


def note_if_slipped(
    bans: BanIndex, notes: Notes, path: str, address: str, *, genuine: bool, began: float, now: float
) -> None:
    """Asked once more about a request that was answered: should a ban have refused it when it came, at ``began``?"""
    standing = None if path in SPARED else bans.refusal(address, genuine=genuine, now=now)
    if standing is not None and began - standing.since > REACH_S:
        notes.slip(standing.id, now)
