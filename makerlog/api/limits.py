"""How much is too much: every limit of the API and what things cost, on one screen. Views name them and hold no numbers.

A limit is a bucket of ``burst`` units that is refilled evenly, by ``quota - burst`` a window. So in any window whatever at
most ``quota`` units are let through: the documented number is a true upper bound, without the double of fixed windows.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from django.utils.functional import cached_property

from makerlog.gate.level import GUARDED, UNDER_ATTACK, lockdown
from makerlog.gate.networks import SITE_CLIENTS

Per = Literal["token", "maker", "app", "address", "site", "subject"]

SECOND_US = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Limit:
    """At most ``quota`` units in any ``window`` (seconds), ``burst`` of them at once, for each ``per``."""

    name: str
    per: Per  # an IPv6 address stands for its /64; "subject" is what the view names, such as a mailbox
    quota: int
    window: int
    burst: int
    about: str
    at_door: bool = False  # counted by each process on its own, an equal share in each (makerlog.gate.readers)

    @cached_property
    def span(self) -> int:
        """How long an empty bucket takes to fill, in microseconds."""
        return self.time_for(self.burst)

    @cached_property
    def policy(self) -> str:
        """As the header RateLimit-Policy has it."""
        return f'"{self.name}";q={self.quota};w={self.window}'

    @cached_property
    def of_site(self) -> "Limit":
        """Of a limit by address: what all addresses of one site have together (see makerlog.gate.networks)."""
        about = f"{self.about} All addresses of one IPv4 /24 or IPv6 /48 together."
        quota, burst = self.quota * SITE_CLIENTS, self.burst * SITE_CLIENTS
        return replace(self, name=f"{self.name}-site", per="site", quota=quota, burst=burst, about=about)

    def time_for(self, units: int) -> int:
        """How long ``units`` take to come back, in microseconds, rounded up."""
        return -(-units * self.window * SECOND_US // (self.quota - self.burst))

    def units_in(self, time: int) -> int:
        """How many whole units come back in ``time`` microseconds."""
        return time * (self.quota - self.burst) // (self.window * SECOND_US)


LIMITS = {
    limit.name: limit
    for limit in (
        # What every request costs its caller. With a token: the token, its maker and its app at once; without: the address.
        Limit("token", "token", 6000, MINUTE, 4000, "All that one token asks for."),
        Limit("maker", "maker", 9000, MINUTE, 6000, "All that one maker's tokens ask for, together."),
        Limit("app", "app", 60_000, MINUTE, 40_000, "All that one app asks for, on behalf of all its makers."),
        Limit("address", "address", 1200, MINUTE, 600, "All that is asked without a token from one address."),
        # In place of that: what was made for another reader a moment ago, and is anybody's.
        Limit(
            "shared", "address", 6000, MINUTE, 3000, "Shared answers to one address; each process has its share.", True
        ),
        Limit("files", "address", 60_000, MINUTE, 16_000, "Files; each process has its share. So with a token.", True),
        # What a request costs beside that, because of what it does.
        Limit("write", "maker", 1500, MINUTE, 1000, "What one maker writes; each task of a batch is one."),
        Limit("new-maker", "maker", 70, MINUTE, 50, "What a new maker writes; counted while the level is not normal."),
        Limit(
            "image",
            "maker",
            180,
            10 * MINUTE,
            60,
            "Images that one maker uploads; one that takes long counts for more.",
        ),
        Limit("invitation", "maker", 240, DAY, 120, "Invitations onto the teams of products."),
        Limit("log-in", "address", 60, 10 * MINUTE, 30, "Log-ins with a password, right or wrong."),
        Limit("registration", "address", 40, HOUR, 20, "New accounts."),
        Limit("activation", "address", 60, HOUR, 30, "Links of activation mails that are opened."),
        Limit("forgot", "address", 40, HOUR, 20, "Asking for a new password."),
        Limit("reset", "address", 60, HOUR, 30, "Setting a new password by a mailed link."),
        Limit("password", "maker", 20, HOUR, 10, "Changing one's password, which asks for the old one."),
        Limit("export", "maker", 6, DAY, 3, "Exports of all that is one's own."),
        # Each purpose its own: registering somebody's address over and over keeps no reset of a password from them.
        Limit("mail-registration", "subject", 12, DAY, 3, "Mails that registrations have sent to one mailbox."),
        Limit("mail-reset", "subject", 12, DAY, 3, "Mails with a new password's link to one mailbox."),
        Limit("mail-change", "subject", 6, DAY, 3, "Mails to one mailbox that makers want as their new address."),
        Limit("mail-requester", "subject", 8, DAY, 2, "Mails to one mailbox that one address has sent, each purpose."),
        Limit("mail-notice", "subject", 20, DAY, 10, "Notices to one mailbox of what became of its account."),
        Limit("email-change", "maker", 5, DAY, 3, "Changes of one maker's e-mail address, finished or not."),
        Limit("admin-log-in", "address", 20, 5 * MINUTE, 10, "Log-ins at the admin's own form."),
        Limit("admin-code", "address", 40, 5 * MINUTE, 20, "Codes of a second factor, behind the admin's form."),
        Limit("limits", "address", 240, MINUTE, 120, "Reading this page, which costs nothing else."),
    )
}

# What holds instead while moderation has declared a level (makerlog/gate/level.py), for whoever shows no token. A limit that
# is not named here is the same at every level.
AT_LEVEL = {
    level: {limit.name: limit for limit in limits}
    for level, limits in {
        GUARDED: (
            Limit(
                "address", "address", 300, MINUTE, 150, "All that is asked without a token from one address, on guard."
            ),
            Limit("forgot", "address", 10, HOUR, 5, "Asking for a new password, on guard."),
        ),
        UNDER_ATTACK: (
            Limit(
                "address",
                "address",
                60,
                MINUTE,
                30,
                "All that is asked without a token from one address, under attack.",
            ),
            Limit("forgot", "address", 10, HOUR, 5, "Asking for a new password, under attack."),
        ),
    }.items()
}
NEW_MAKER = timedelta(days=2)  # for so long after joining "new-maker" counts, beside "write"


def limit_called(name: str) -> Limit:
    """As it is now."""
    return AT_LEVEL.get(lockdown.level, {}).get(name) or LIMITS[name]


# In units. A GET costs what its view's `price` names; a page and a search come on top of that.
PRICES = {
    "read": 1,  # one thing, or a page of up to 49
    "page": 3,  # an answer of up to 100 rows that is no page of a list
    "write": 5,  # every POST, PUT, PATCH and DELETE; also a GET that writes
    "free": 0,
}
ROWS_A_UNIT = 50  # of a page, beyond its first unit: limit=20 costs 1, limit=50 costs 2, limit=100 costs 3
SEARCH = 4
IMAGE_UNIT_S = 0.5  # seconds of CPU that an image may take for one unit of the limit `image`
UNIT_S = 0.03  # of work that a unit pays for: PostgreSQL's, and Python's in a thread
MARGIN_S = 0.25  # of work beyond that, before it is charged as a debt: a process's first request may take as long
UNCHANGED = 10  # an answer of 304 costs one part in so many

COSTS = {
    "limits by address": "an IPv4 address or IPv6 /64 is one address; all of one IPv4 /24 or IPv6 /48 have together"
    f" {SITE_CLIENTS} times what one has",
    "GET of one thing": "1 unit",
    "GET of a list": f"1 unit, and 1 for each {ROWS_A_UNIT} of its limit: 20 rows cost 1, 100 rows cost 3",
    "search": f"{SEARCH} units more",
    "what takes long": f"1 unit more for each {UNIT_S * 1000:.0f} ms of work, where it takes {MARGIN_S * 1000:.0f} ms longer"
    " than its units pay for; charged afterwards",
    "POST, PUT, PATCH, DELETE": f"{PRICES['write']} units, and 1 of the limit `write` (a batch: 1 for each task)",
    "304 Not Modified": f"a tenth (1/{UNCHANGED}) of what the answer would have cost; without a token the whole",
    "GET without a token that somebody else made within the last second": "1 of the limit `shared` for each 16 KiB of the"
    " answer, and nothing else",
    "a file": "1 of the limit `files` for each 16 KiB that were sent, 1 at least, and nothing else",
    "a token that is refused, or asks for what is not there": "as any other request; what no view answers (a path that is"
    " none, a closed route) is counted by each process, and is a 429 where it comes by the hundred",
    "OPTIONS without a token, /limits/, /health, /health/ready": "nothing",
}
FALLBACK = (
    "While the shared counter is away, each of N processes goes on from what it last heard of it, and lets through at most"
    " an N-th of what was left and of the burst: together no more than the quota. Only where one process had let through"
    " more than its N-th, and another had not heard of it, can it be more; quota + burst is the bound then."
)
