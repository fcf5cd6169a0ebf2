"""The mails we send: plain text, posted once the transaction has committed, off the request's thread.

A request that waited for the mail server would tell by its time whether an address is known, and a mail server that
hangs would hold the process's threads.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.core.mail import send_mail
from django.db import transaction

from makerlog.accounts.links import activation_link, reset_link
from makerlog.accounts.models import Maker

logger = logging.getLogger("makerlog.mail")

MAX_WAITING = 100
postman = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
waiting = threading.BoundedSemaphore(MAX_WAITING)

ACTIVATION = """Hello {maker.username},

open this link to start using your account:

{link}

If you did not register, do nothing: without the link the account stays closed, and soon goes away.
"""

RESET = """Hello {maker.username},

somebody, probably you, wants a new password for your account. The link works once, for three days:

{link}

An app may ask for its two parts instead: uidb64 {uid} and token {token}

A new password ends all log-ins and all tokens of your account: your apps need new ones.

If it was not you, do nothing: your password stays as it is.
"""

KNOWN = """Hello {maker.username},

somebody, probably you, wanted to register with this address. It has an account already, with the username
{maker.username}. If you forgot the password, ask your app for a new one.

If it was not you, do nothing: nothing has changed.
"""

MOVED = """Hello {maker.username},

the e-mail address of your account is now {maker.email}; this one is no longer used for it.

If it was not you, somebody has one of your tokens: change your password and delete your tokens, at once.
"""

REVOKED = """Hello {maker.username},

{count} of your tokens {verb} revoked; whoever uses {them} is refused from now on:

{names}

Why: {because}.

Your account is as it was. Make new tokens in their place. If somebody else may have had them, choose a new password too.
"""

NAMED = 10


def send_activation(maker: Maker) -> None:
    send(maker.email, "Activate your account", ACTIVATION.format(maker=maker, link=activation_link(maker)))


def send_reset(maker: Maker) -> None:
    link = reset_link(maker)
    *_, uid, token, _ = link.split("/")
    send(maker.email, "A new password", RESET.format(maker=maker, link=link, uid=uid, token=token))


def say_address_is_known(maker: Maker) -> None:
    send(maker.email, "You have an account already", KNOWN.format(maker=maker))


def say_address_changed(maker: Maker, *, old: str) -> None:
    send(old, "Your e-mail address was changed", MOVED.format(maker=maker))


def say_tokens_revoked(maker: Maker, names: Sequence[str], because: str) -> bool:
    """Whether there was room for the mail. Said after the commit. ``names``: one for each token."""
    few = [*names[:NAMED], f"and {len(names) - NAMED} more"] if len(names) > NAMED else names
    one = len(names) == 1
    body = REVOKED.format(
        maker=maker,
        count="One" if one else len(names),
        verb="was" if one else "were",
        them="it" if one else "them",
        names="\n".join(few),
        because=because,
    )
    return hand_over(maker.email, "Tokens of yours were revoked", body)


def send(to: str, subject: str, body: str) -> None:
    """Does nothing for a maker without an address."""
    if to:
        transaction.on_commit(partial(hand_over, to, subject, body), robust=True)


def hand_over(to: str, subject: str, body: str) -> bool:
    """Whether there was room for it."""
    if not waiting.acquire(blocking=False):
        logger.error("%d mails are waiting already; one was dropped: %s", MAX_WAITING, subject)
        return False
    postman.submit(deliver, to, subject, body)
    return True


def deliver(to: str, subject: str, body: str) -> None:
    try:
        send_mail(f"Makerlog: {subject}", body, None, [to])
    except Exception:  # nobody waits for the outcome: whatever it is, the log is where it is told
        logger.exception("A mail could not be sent: %s", subject)
    finally:
        waiting.release()
