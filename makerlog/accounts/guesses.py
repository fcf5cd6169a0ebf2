"""Counts wrong passwords of each account, from whatever address they come, and tells its owner and the staff.

Nobody is locked out: whoever guesses would lock out the owner. The counts are two buckets of the limiter, which go by
themselves, and only a log-in that failed pays for them. A name that nobody has is counted alike, so the time tells nothing.
"""

from collections.abc import Callable

from makerlog.accounts import emails
from makerlog.accounts.mail_budgets import one_of, stand
from makerlog.accounts.mailboxes import subject_of
from makerlog.accounts.models import Maker
from makerlog.api.limits import DAY, Limit
from makerlog.api.text import fold

# What may be wrong before it is told: 30 at once, and one more each 48 minutes.
WRONG = Limit("guesses", "subject", 60, DAY, 30, "Wrong passwords for one account.")
TOLD = Limit("guesses-told", "subject", 2, DAY, 1, "News of them to its owner: one a day.")

listeners: list[Callable[[Maker], None]] = []  # called with the account, in the process that counted; must not raise


def count_guess(maker: Maker | None, name: str) -> None:
    """``maker``: whose password it was not; None: nobody is called ``name``."""
    subject = f"maker:{maker.pk}" if maker else subject_of(fold(name))
    if not stand(one_of(WRONG, subject)).fits_in or stand(one_of(TOLD, subject)).fits_in:
        return
    emails.mail_guesses.enqueue(maker.pk if maker else 0)
    if maker:
        for listener in listeners:
            listener(maker)
