"""The mails we send: plain text. Each is a job, enqueued in the transaction that causes it; the worker delivers it.

A job holds ids, never a link: links are secrets, and are made when the mail is; nor an address, but for one that the account
has no more. Who is gone by then is mailed nothing.

deploy/decisions/0027-mail.md has a table of all mails: who causes each, to which address, and how many there may be.
"""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import send_mail
from django_tasks import task

from makerlog.accounts.links import activation_link, email_link, reset_link
from makerlog.accounts.mail_budgets import Purpose, spend
from makerlog.accounts.models import AccessToken, Maker

ACTIVATION = """Hello {maker.username},

open this link to start using your account:

{link}

If you did not register, do nothing: without the link the account stays closed, and soon goes away.
"""

ANEW = """
This address was registered more than once, with different passwords, so none of them counts. Once the account is open,
choose one: ask your app for a new password.
"""

CHANGE = """Hello {maker.username},

open this link to make this the e-mail address of your account:

{link}

If you did not ask for that, do nothing: without the link nothing changes, and this address stays what it is.
"""

TAKEN = """Hello {maker.username},

somebody, probably you, wanted this address for another account. It belongs to yours, so nothing has changed. To use it
there, give this account another address first, or delete it.

If it was not you, do nothing.
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

PAUSED = """Hello {maker.username},

Your token {token} may read but not write until {until}. It was paused by a rule, without anybody looking:

{because}

If you did not post that, revoke the token and choose a new password. If you did, and it is no spam, write to
{appeal}: a moderator ends the pause with one tap.
"""

GUESSES = """Hello {maker.username},

somebody tries passwords for your account: at least 30 were wrong within a day. None of them got in, and nothing is locked.

If your password is short, or is used elsewhere too, choose a new one. Otherwise there is nothing to do. You are told this
once a day at most.
"""

NAMED = 10


@task()
def mail_activation(maker: int) -> None:
    """Mails a registration its link; where the address has an account by now, its owner instead. A registration anew within
    the time of a link has taken the place of the one before: this is about the last."""
    registered = Maker.objects.filter(pk=maker).first()
    if registered and registered.awaits and not registered.has_lapsed:
        owner = owner_of(registered.unproven_email, registered)
        send_known(owner) if owner else send_activation(registered)


@task()
def mail_email_change(maker: int) -> None:
    """Mails the address that a maker wants the link that gives it to them; where it is another account's, its owner."""
    wants = Maker.objects.filter(pk=maker).first()
    if wants and wants.is_active and wants.pending_email:
        owner = owner_of(wants.pending_email, wants)
        send_taken(owner) if owner else send_change(wants)


def owner_of(email: str, maker: Maker) -> Maker | None:
    """Whose that mailbox is, beside ``maker`` and those who have not proven it."""
    others = Maker.objects.at(email).exclude(pk=maker.pk).exclude(awaiting_activation=True, is_active=False)
    return others.first()


@task()
def mail_reset(maker_id: int | str) -> None:
    """Mails an account the way to a new password: its activation link where it never opened. 0: nobody has the address that
    was asked for. (An address: from the release before, which named the account by that.)"""
    maker = Maker.objects.mailed_at(maker_id) if isinstance(maker_id, str) else Maker.objects.filter(pk=maker_id)
    send_way_back(maker.first())


def send_way_back(maker: Maker | None) -> None:
    if maker and maker.is_active:
        send_reset(maker)
    elif maker and maker.awaits and not maker.has_lapsed:
        send_activation(maker, "reset")


@task()
def mail_address_is_known(maker: int) -> None:
    """(Enqueued by the release before.)"""
    if owner := Maker.objects.filter(pk=maker).first():
        send_known(owner)


@task()
def mail_address_changed(maker: int, old: str) -> None:
    if moved := Maker.objects.filter(pk=maker).first():
        send("notice", old, "Your e-mail address was changed", MOVED.format(maker=moved))


@task()
def mail_tokens_revoked(maker: int, ended: list[int]) -> None:
    """``ended``: ids of tokens of one owner, revoked together and for one reason."""
    owner = Maker.objects.filter(pk=maker).first()
    tokens = list(AccessToken.objects.filter(pk__in=ended, maker=maker).exclude(revoked_at=None).order_by("pk"))
    if owner and tokens:
        say_tokens_revoked(
            owner, [f"{token.prefix} {token.name}".rstrip() for token in tokens], tokens[0].revoked_because
        )


@task()
def mail_token_paused(token: int, because: str) -> None:
    """Nothing, where the pause is over or was lifted before the mail went out."""
    paused = AccessToken.objects.select_related("maker").filter(pk=token).first()
    if paused and paused.is_paused:
        until = f"{paused.paused_until:%Y-%m-%d %H:%M:%S} UTC"
        words = {"maker": paused.maker, "token": f"{paused.prefix} {paused.name}".rstrip(), "because": because}
        send(
            "notice",
            paused.maker.email,
            "A token of yours is paused",
            PAUSED.format(until=until, appeal=settings.APPEAL_TO, **words),
        )


@task()
def mail_guesses(maker: int) -> None:
    """0: nobody has the name whose password was guessed."""
    owner = Maker.objects.filter(pk=maker, is_active=True).first()
    if owner:
        send("notice", owner.email, "Somebody guesses your password", GUESSES.format(maker=owner))


def say_tokens_revoked(maker: Maker, names: Sequence[str], because: str) -> None:
    """``names``: one for each token."""
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
    send("notice", maker.email, "Tokens of yours were revoked", body)


def send_activation(maker: Maker, purpose: Purpose = "registration") -> None:
    anew = "" if maker.has_usable_password() else ANEW
    body = ACTIVATION.format(maker=maker, link=activation_link(maker)) + anew
    send(purpose, maker.unproven_email, "Activate your account", body)


def send_known(owner: Maker) -> None:
    send("registration", owner.email, "You have an account already", KNOWN.format(maker=owner))


def send_change(maker: Maker) -> None:
    body = CHANGE.format(maker=maker, link=email_link(maker))
    send("change", maker.pending_email, "Your new e-mail address", body)


def send_taken(owner: Maker) -> None:
    send("change", owner.email, "Your address was wanted for another account", TAKEN.format(maker=owner))


def send_reset(maker: Maker) -> None:
    link = reset_link(maker)
    *_, uid, token, _ = link.split("/")
    send("reset", maker.email, "A new password", RESET.format(maker=maker, link=link, uid=uid, token=token))


def send(purpose: Purpose, to: str, subject: str, body: str) -> None:
    """Does nothing for a maker without an address. Raises what the mail server's absence raises, and MailPutOff where this
    hour's mails are sent: the job is tried again."""
    if to and spend(purpose, to):
        send_mail(f"Makerlog: {subject}", body, None, [to])
