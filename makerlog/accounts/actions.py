"""What makers do with their accounts. Keyword-only, each one transaction.

Passwords are hashed before the transaction begins: no lock is held while a hash waits its turn.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, ValidationError

from makerlog import content
from makerlog.accounts import emails, media, tokens
from makerlog.accounts.authentication import PEPPERS
from makerlog.accounts.links import activation_tokens, bad_link, reset_tokens
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.accounts.scopes import SCOPES
from makerlog.accounts.suspension import is_out, why_suspended
from makerlog.api import refusals
from makerlog.api.exceptions import Conflict
from makerlog.api.files import forget_files
from makerlog.api.folded import with_folded
from makerlog.api.models import IdempotencyKey
from makerlog.api.text import fold
from makerlog.api.written import instances
from makerlog.changes.journal import announce

USERNAME_TAKEN = "This username is taken."
EMAIL_TAKEN = "This address belongs to another account."
FILES = ("avatar", "header")

UNFOLLOW_ALL = """
    WITH gone AS (DELETE FROM accounts_follow WHERE follower_id = %s RETURNING followed_id)
    UPDATE accounts_maker SET follower_count = follower_count - 1 FROM gone WHERE accounts_maker.id = gone.followed_id
"""


# --- Tokens ---


@transaction.atomic
def create_token(
    *, maker: Maker, name: str = "", scopes: list[str] | None = None, expires_at: datetime | None = None
) -> tuple[AccessToken, str]:
    """A personal token and its text, which is shown this once. No ``scopes``: all of them."""
    locked_maker(maker)  # one at a time, so that the ceiling holds
    live = maker.tokens.filter(kind=AccessToken.Kind.PERSONAL, revoked_at=None)
    if live.count() >= AccessToken.MAX_PERSONAL:
        raise Conflict(f"You have {AccessToken.MAX_PERSONAL} tokens; delete one first.", "too_many_tokens")
    return _kept(maker=maker, kind=AccessToken.Kind.PERSONAL, name=name, scopes=scopes, expires_at=expires_at)


@transaction.atomic
def log_in(*, maker: Maker) -> str:
    """The text of a new log-in token with all scopes; the newest ``MAX_LOGINS`` stay. A 400 for who is suspended and out:
    whoever comes here has proved that the account is theirs."""
    maker = locked_maker(maker)
    if is_out(maker):
        raise ValidationError({"non_field_errors": [why_suspended(maker)]})
    _, text = _kept(maker=maker, kind=AccessToken.Kind.LOGIN, name="log-in", scopes=None, expires_at=None)
    logins = maker.tokens.filter(kind=AccessToken.Kind.LOGIN, revoked_at=None).order_by("-id")
    surplus = logins.values_list("pk", flat=True)[AccessToken.MAX_LOGINS :][:100]
    end_tokens(AccessToken.objects.filter(pk__in=list(surplus)))
    return text


def _kept(
    *, maker: Maker, kind: str, name: str, scopes: list[str] | None, expires_at: datetime | None
) -> tuple[AccessToken, str]:
    token = tokens.mint(PEPPERS, expires_at)
    kept = AccessToken.objects.create(
        maker=maker,
        kind=kind,
        name=name,
        scopes=list(SCOPES) if scopes is None else scopes,
        public_id=token.public_id,
        pepper=token.pepper,
        digest=token.digest,
        expires_at=token.expires_at,
    )
    return kept, token.text


@transaction.atomic
def revoke_token(*, token: AccessToken) -> None:
    end_tokens(AccessToken.objects.filter(pk=token.pk))


def end_tokens(found: QuerySet[AccessToken], because: str = "") -> list[int]:
    """Revokes the live ones of ``found`` and announces it: the ids of those. The last statement of its transaction.
    ``because`` is moderation's alone. Locked in the order of their ids: two that revoke the same tokens wait in turn."""
    live = found.filter(revoked_at=None).order_by("pk").select_for_update()
    public_ids = dict(live.values_list("pk", "public_id"))
    AccessToken.objects.filter(pk__in=list(public_ids)).update(revoked_at=timezone.now(), revoked_because=because[:300])
    announce("token", public_ids.values())
    return list(public_ids)


# --- Getting in ---


def maker_with_password(*, username: str, password: str) -> Maker | None:
    """The maker of that username or e-mail address, if the password is theirs. A name nobody has costs a hash, too."""
    maker = Maker.objects.signing_in(username).first()
    if maker is None:
        make_password(password)
        return None
    return maker if maker.check_password(password) else None


def register(*, email: str, username: str, password: str) -> None:
    """An account that opens with the link mailed to ``email``.

    Whether an address has an account is told to its mailbox alone: the owner gets a mail instead. (Who then tries the
    same username with an address of their own finds it free or taken, and so can still tell, at the price of an
    account.) An address that awaits activation is registered anew: the last registration counts and ends older links.
    """
    hashed = make_password(password)
    with transaction.atomic():
        for holders in (Maker.objects.filter(folded_username=fold(username)), Maker.objects.at(email)):
            (holders & Maker.objects.lapsed()).delete()  # one by one: for both at once no index is of use
        known = Maker.objects.at(email).select_for_update().first()
        if known and not known.awaits:
            emails.mail_address_is_known.enqueue(known.pk)
            return
        maker = known or Maker(is_active=False, awaiting_activation=True)
        maker.email, maker.username, maker.password, maker.date_joined = email, username, hashed, timezone.now()
        if kept_unique(maker):
            emails.mail_activation.enqueue(maker.pk)


def kept_unique(maker: Maker) -> bool:
    """Saves a registration. False where another for the same address was first by a moment: its mail is on its way."""
    try:
        with transaction.atomic():
            maker.save()
    except IntegrityError as error:
        if taken_field(error) == "email":
            return False
        raise ValidationError({"username": [USERNAME_TAKEN]}) from error
    return True


def taken_field(error: IntegrityError) -> str:
    """Which of a maker's unique fields an error is about."""
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    return "email" if "email" in (getattr(diagnosis, "constraint_name", "") or "") else "username"


def forgot_password(*, email: str) -> None:
    """A mail with the way to a new password, where ``email`` is an account's. A job for each who asks, known or not, so that
    the time it takes tells nobody which."""
    emails.mail_reset.enqueue(Maker.objects.at(email).values_list("pk", flat=True).first() or 0)


@transaction.atomic
def activate(*, maker: Maker | None, token: str) -> str:
    """Opens an account with the link that was mailed: the text of a log-in token. A link works once."""
    maker = locked_maker(maker) if maker else None
    if maker is None or not maker.awaits or not activation_tokens.check_token(maker, token):
        raise bad_link()
    maker.is_active, maker.awaiting_activation = True, False
    maker.save(update_fields=["is_active", "awaiting_activation"])
    return log_in(maker=maker)


def reset_password(*, maker: Maker, token: str, password: str) -> None:
    """Sets a new password with the link that was mailed, and ends all tokens, personal ones too: this is what somebody
    does whose account was taken. A link works once."""
    hashed = make_password(password)
    with transaction.atomic():
        maker = locked_maker(maker)
        if not maker.is_active or not reset_tokens.check_token(maker, token):
            raise bad_link()
        maker.password = hashed
        maker.save(update_fields=["password"])
        end_tokens(maker.tokens.all())


def change_password(*, maker: Maker, password: str, own: Any) -> None:
    """Sets a new password and ends the other log-ins. One's ``own`` token, which asks for it, goes on, and so do personal
    tokens: an app that runs by itself does not stop because its maker chose another password."""
    hashed = make_password(password)
    with transaction.atomic():
        maker = locked_maker(maker)
        maker.password = hashed
        maker.save(update_fields=["password"])
        end_tokens(maker.tokens.filter(kind=AccessToken.Kind.LOGIN).exclude(pk=own.pk))


# --- One's own account ---


def locked_maker(maker: Maker, *, no_key: bool = False) -> Maker:
    """The maker as they are now, kept so until the transaction ends. ``no_key``: what refers to them may come meanwhile."""
    rows = Maker.objects.select_for_update(no_key=no_key)
    found = instances(Maker, ("locked maker", no_key), [maker.pk], lambda values: rows.filter(pk=values[0]))
    if not found:
        raise AuthenticationFailed("This account is closed.", "account_closed")
    return found[0]


@media.atomic()
def update_profile(*, maker: Maker, **values: Any) -> Maker:
    """Changes what a maker says of themselves. Their content leaves public lists, or comes back, in the same moment
    that ``private`` changes; files that are replaced go on commit.

    ``no_key``: who praises or comments holds the task and refers to its maker at the end; here it is the other way round.
    """
    maker = locked_maker(maker, no_key=True)
    before = {name: getattr(maker, name) for name in ("private", "email", "timezone")}
    for name in FILES:
        values = media.with_file(values, Maker._meta.get_field(name), maker=maker, old=getattr(maker, name).name or "")
    for name, value in values.items():
        setattr(maker, name, value)
    save_unique(maker, [*values])
    if maker.private != before["private"]:
        content.relist(makers=[maker.pk])
    if maker.email != before["email"]:
        emails.mail_address_changed.enqueue(maker.pk, before["email"])
    if maker.timezone != before["timezone"]:
        announce("maker", [maker.pk])
    return maker


@transaction.atomic
def change_username(*, maker: Maker, username: str) -> Maker:
    maker = locked_maker(maker)
    maker.username = username
    save_unique(maker, ["username"])
    return maker


def save_unique(maker: Maker, fields: list[str]) -> None:
    """Saves ``fields``; what somebody else took in the meantime is an error of that field."""
    try:
        with transaction.atomic():
            maker.save(update_fields=with_folded(Maker, fields))
    except IntegrityError as error:
        field = taken_field(error)
        raise ValidationError({field: [EMAIL_TAKEN if field == "email" else USERNAME_TAKEN]}) from error


@transaction.atomic
def delete_account(*, maker: Maker) -> None:
    """Erases a maker and all they posted. What they counted for on others' content is taken back.

    The lock makes whatever of theirs is being written right now fail at its commit: it refers to nobody.
    """
    maker = locked_maker(maker)
    content.erase(maker=maker.pk)
    with connection.cursor() as cursor:
        cursor.execute(UNFOLLOW_ALL, [maker.pk])
    callers = maker.tokens.values_list(Concat(Value("token:"), Cast("pk", CharField())))
    IdempotencyKey.objects.filter(caller__in=callers).delete()
    forget_files(getattr(maker, name).name for name in FILES)
    live = maker.tokens.filter(revoked_at=None).order_by("pk").select_for_update()
    public_ids, pk = list(live.values_list("public_id", flat=True)), maker.pk
    transaction.on_commit(partial(refusals.forget, public_ids), robust=True)
    maker.delete()
    announce("maker", [pk])
    announce("token", public_ids)


# --- Following ---


@transaction.atomic
def follow(*, follower: Maker, followed: Maker) -> bool:
    """Whether the one follows the other now. Nobody follows themselves."""
    if follower == followed:
        return False
    _, new = Follow.objects.get_or_create(follower=follower, followed=followed)
    if new:
        Maker.objects.filter(pk=followed.pk).update(follower_count=F("follower_count") + 1)
    return True


@transaction.atomic
def unfollow(*, follower: Maker, followed: Maker) -> bool:
    """False: the one does not follow the other now."""
    gone, _ = Follow.objects.filter(follower=follower, followed=followed).delete()
    if gone:
        Maker.objects.filter(pk=followed.pk).update(follower_count=F("follower_count") - 1)
    return False
