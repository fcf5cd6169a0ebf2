"""How many mails go out: to one mailbox, at the wish of one caller, and in all (deploy/decisions/0027-mail.md).

Two places charge. The view does before it does anything, alike whether the address has an account or not, so that
neither the answer nor its headers tell. The worker does when it sends: what the service may send in an hour is shared out
by purpose, so that a flood of one leaves the others their part; what does not fit waits.
"""

import logging
import random
from typing import Literal

from django.conf import settings
from rest_framework.request import Request

from makerlog.accounts.mailboxes import mailbox_of, subject_of
from makerlog.api.buckets import Charge, Standing
from makerlog.api.exceptions import Busy
from makerlog.api.limits import HOUR, SECOND_US, Limit, limit_called
from makerlog.api.throttling import account_of, limiter
from makerlog.gate.networks import client_of

logger = logging.getLogger("makerlog.mail")

Purpose = Literal["registration", "reset", "change", "notice"]

# Parts of MAILS_PER_HOUR, in per cent. Notices have the most: moderation may have to tell thousands at once.
SHARES: dict[Purpose, int] = {"registration": 20, "reset": 25, "change": 10, "notice": 45}
SPREAD_S = 600.0  # those that wait for the same bucket come back one by one within so long


class MailPutOff(Exception):
    """This hour's mails of a purpose are sent: the job is to run again in so many ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The mails of this hour are sent; once more in {seconds:.0f} s.")
        self.seconds = seconds


def share_of(purpose: Purpose) -> Limit:
    """All mails of one purpose, of all processes together."""
    quota = max(2, settings.MAILS_PER_HOUR * SHARES[purpose] // 100)
    return Limit(f"mails-{purpose}", "subject", quota, HOUR, quota // 2, f"All mails of the kind {purpose}.")


def charge_request(request: Request, purpose: Purpose, address: str) -> None:
    """Charges a request that has a mail sent to ``address``. TooOften (429): that mailbox, or this caller for it, has had
    its mails; Busy (503): the service has had its own."""
    require_room(purpose)
    box, caller = mailbox_of(address), client_of(request.META["REMOTE_ADDR"])
    subjects = {f"mail-{purpose}": subject_of(box), "mail-requester": subject_of(purpose, box, caller)}
    if request.auth is not None and purpose == "change":
        subjects["email-change"] = str(request.user.pk)
    charges = [one_of(limit_called(name), subject) for name, subject in subjects.items()]
    account_of(request).charge(charges)


def require_room(purpose: Purpose) -> None:
    """Only looked at, and in no header: what is charged when a mail is sent would tell whether one was."""
    limit = share_of(purpose)
    standing = stand(Charge(limit, "all", 0))
    if standing.remaining == 0:
        busy = Busy("Too many mails are on their way at the moment. Try again later.", "mails_used_up")
        busy.wait = -(-limit.time_for(1) // SECOND_US)
        raise busy


def spend(purpose: Purpose, address: str) -> bool:
    """Charges a mail that is about to go out; MailPutOff where it has to wait. False: this mailbox has had its notices."""
    if purpose == "notice" and stand(one_of(limit_called("mail-notice"), subject_of(mailbox_of(address)))).fits_in:
        logger.warning("A notice was not mailed: its mailbox has had its part for now.")
        return False
    if wait := stand(one_of(share_of(purpose), "all")).fits_in:
        raise MailPutOff(wait / SECOND_US + random.uniform(0, SPREAD_S))  # noqa: S311  (spreads load, keeps no secret)
    return True


def one_of(limit: Limit, subject: str) -> Charge:
    return Charge(limit, subject, limit.time_for(1))


def stand(charge: Charge) -> Standing:
    return limiter.decide([charge]).standings[0]
