"""What makers do with their accounts. Keyword-only, each one transaction.

Passwords are hashed before the transaction begins: no lock is held while a hash waits its turn.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.hashers import identify_hasher, make_password
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, ValidationError

from makerlog import content
from makerlog.accounts import emails, identity, media, tokens
from makerlog.accounts.admins import keep_an_admin
from makerlog.accounts.authentication import PEPPERS
from makerlog.accounts.guesses import count_guess
from makerlog.accounts.links import activation_tokens, bad_link, email_tokens, reset_tokens
from makerlog.accounts.mailboxes import mailbox_of
from makerlog.accounts.models import AccessToken, Follow, FreedUsername, Maker, username_digests
from makerlog.accounts.scopes import SCOPES
from makerlog.accounts.suspension import is_out, why_suspended
from makerlog.api import refusals
from makerlog.api.exceptions import Conflict, Rejected
from makerlog.api.files import forget_files
from makerlog.api.folded import with_folded
from makerlog.api.models import IdempotencyKey
from makerlog.api.text import fold
from makerlog.api.written import instances
from makerlog.changes.journal import announce
from makerlog.live.events import Event, publish

USERNAME_TAKEN = "This username is taken."
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
def log_in(*, maker: Maker, second_factor: bool = False) -> str:
    """The text of a new log-in token with all scopes; the newest ``MAX_LOGINS`` stay. A 400 for who is suspended and out:
    whoever comes here has proved that the account is theirs. ``second_factor``: by a code of theirs, too."""
    maker = locked_maker(maker)
    if is_out(maker):
        raise Rejected(why_suspended(maker), "suspended")
    kept, text = _kept(maker=maker, kind=AccessToken.Kind.LOGIN, name="log-in", scopes=None, expires_at=None)
    if second_factor:
        AccessToken.objects.filter(pk=kept.pk).update(second_factor=True)
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
    elif maker.check_password(password):
        return maker
    count_guess(maker, username)
    return None


def register(*, email: str, username: str, password: str) -> None:
    """An account that opens with the link mailed to ``email``.

    Whether an address has an account is not even looked at here: the worker does, and mails its owner instead of a link.
    So the answer, the time it takes and what it leaves behind (a username that is taken for three days) are the same.
    """
    before = Maker.objects.registering(email).first()
    hashed = make_password(password, **salt_of(before))
    with transaction.atomic():
        Maker.objects.lapsed().filter(folded_username=fold(username)).delete()
        maker = Maker.objects.registering(email).select_for_update().first()
        maker = maker or Maker(is_active=False, awaiting_activation=True)
        maker.password = password_to_keep(maker, hashed)
        maker.pending_email, maker.pending_mailbox = email, mailbox_of(email)
        maker.username, maker.date_joined = username, timezone.now()
        if kept_unique(maker):
            emails.mail_activation.enqueue(maker.pk)


def salt_of(registered: Maker | None) -> dict[str, str]:
    """What hashes the same password to the same text again, so that comparing the two costs no second hash."""
    if registered is None or not registered.has_usable_password():
        return {}
    return {"salt": identify_hasher(registered.password).decode(registered.password)["salt"]}


def password_to_keep(maker: Maker, hashed: str) -> str:
    """The password of a registration, or none where its address awaits activation with another one.

    Threat: somebody registers an address whose owner has just done so, and the link that the owner opens leaves the other's
    password behind. Which of the two is the owner's nobody knows, so neither counts: the link opens the account all the
    same, and its owner chooses a password as whoever forgot theirs.
    """
    first = maker.pk is None or maker.has_lapsed
    return hashed if first or maker.password == hashed else make_password(None)


def kept_unique(maker: Maker) -> bool:
    """Saves a registration. False where another for the same address was first by a moment: its mail is on its way."""
    try:
        with transaction.atomic():
            maker.save()
            require_not_kept_back(maker)
    except IntegrityError as error:
        if taken_field(error) == "email":
            return False
        raise ValidationError({"username": [USERNAME_TAKEN]}) from error
    return True


def taken_field(error: IntegrityError) -> str:
    """Which of a maker's unique fields an error is about."""
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", "") or ""
    return "email" if "email" in constraint or "mailbox" in constraint else "username"


def forgot_password(*, email: str) -> None:
    """A mail with the way to a new password, where ``email`` is an account's. A job for each who asks, known or not, so that
    the time it takes tells nobody which."""
    emails.mail_reset.enqueue(Maker.objects.mailed_at(email).values_list("pk", flat=True).first() or 0)


@transaction.atomic
def activate(*, maker: Maker | None, token: str) -> str:
    """Opens an account with the link that was mailed: the text of a log-in token. A link works once."""
    maker = locked_maker(maker) if maker else None
    if maker is None or not maker.awaits or not activation_tokens.check_token(maker, token):
        raise bad_link()
    # Of the release before: a registration that holds its address, and so would keep it from this one.
    Maker.objects.at(maker.unproven_email).filter(awaiting_activation=True, is_active=False).exclude(
        pk=maker.pk
    ).delete()
    maker.is_active, maker.awaiting_activation = True, False
    if not has_proven(maker, "is_active", "awaiting_activation"):
        raise bad_link()
    return log_in(maker=maker)


def has_proven(maker: Maker, *fields: str) -> bool:
    """Makes the address that a link was mailed to the maker's, and saves ``fields`` too. False: it is another account's."""
    maker.email, maker.mailbox = maker.unproven_email, mailbox_of(maker.unproven_email)
    maker.pending_email = maker.pending_mailbox = ""
    try:
        with transaction.atomic():
            maker.save(update_fields=[*fields, "email", "mailbox", "pending_email", "pending_mailbox"])
    except IntegrityError:
        return False
    return True


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
    before = {name: getattr(maker, name) for name in ("private", "timezone")}
    for name in FILES:
        values = media.with_file(values, Maker._meta.get_field(name), maker=maker, old=getattr(maker, name).name or "")
    for name, value in values.items():
        setattr(maker, name, value)
    maker.save(update_fields=[*values])
    if maker.private != before["private"]:
        content.relist(makers=[maker.pk])
    if maker.timezone != before["timezone"]:
        transaction.on_commit(partial(identity.drop_maker, maker.pk), robust=True)
        publish(Event("identity.changed", {"maker": maker.pk}, (identity.CHANGED,)))
        announce("maker", [maker.pk])
    return maker


@transaction.atomic
def request_email_change(*, maker: Maker, email: str) -> Maker:
    """A link to ``email``, which becomes the maker's once it is opened; the last request counts. Where it is another
    account's, the worker mails that one's owner: here nothing differs."""
    maker = locked_maker(maker, no_key=True)
    maker.pending_email, maker.pending_mailbox = email, mailbox_of(email)
    maker.save(update_fields=["pending_email", "pending_mailbox"])
    emails.mail_email_change.enqueue(maker.pk)
    return maker


@transaction.atomic
def confirm_email(*, maker: Maker | None, token: str) -> None:
    """Takes the address whose link was opened, and tells the one before. Conflict: another account has it by now, which is
    told to nobody but its owner."""
    maker = locked_maker(maker) if maker else None
    if maker is None or not (maker.is_active and maker.pending_email and email_tokens.check_token(maker, token)):
        raise bad_link()
    old = maker.email
    if not has_proven(maker):
        raise Conflict("This address belongs to another account.", "email_taken")
    if old:
        emails.mail_address_changed.enqueue(maker.pk, old)


@transaction.atomic
def change_username(*, maker: Maker, username: str) -> Maker:
    """What somebody else took in the meantime is an error of the field."""
    maker = locked_maker(maker)
    before = maker.username
    maker.username = username
    try:
        with transaction.atomic():
            maker.save(update_fields=with_folded(Maker, ["username"]))
    except IntegrityError as error:
        raise ValidationError({"username": [USERNAME_TAKEN]}) from error
    require_not_kept_back(maker)
    if fold(before) != fold(username):
        keep_back(before, maker)
    return maker


def require_not_kept_back(maker: Maker) -> None:
    """Asked once the name is the maker's: who waited for another to give it up sees here that they did."""
    if FreedUsername.objects.kept_from(maker, maker.username).exists():
        raise ValidationError({"username": [USERNAME_TAKEN]})


def keep_back(username: str, maker: Maker) -> None:
    """From now on the name is nobody else's for a while."""
    digest, *older = username_digests(username)
    FreedUsername.objects.filter(digest__in=older).delete()
    FreedUsername.objects.update_or_create(digest=digest, defaults={"maker": maker, "freed_at": timezone.now()})
    surplus = maker.freed_usernames.order_by("-freed_at", "-pk").values_list("pk", flat=True)
    FreedUsername.objects.filter(pk__in=list(surplus[FreedUsername.MAX_OF_A_MAKER :])).delete()


@transaction.atomic
def delete_account(*, maker: Maker) -> None:
    """Erases a maker and all they posted. What they counted for on others' content is taken back.

    The lock makes whatever of theirs is being written right now fail at its commit: it refers to nobody. Conflict: they are
    the last admin.
    """
    keep_an_admin(maker)
    maker = locked_maker(maker)
    content.erase(maker=maker.pk)
    with connection.cursor() as cursor:
        cursor.execute(UNFOLLOW_ALL, [maker.pk])
    callers = maker.tokens.values_list(Concat(Value("token:"), Cast("pk", CharField())))
    IdempotencyKey.objects.filter(caller__in=callers).delete()
    forget_files(getattr(maker, name).name for name in FILES)
    live = maker.tokens.filter(revoked_at=None).order_by("pk").select_for_update()
    public_ids, pk = list(live.values_list("public_id", flat=True)), maker.pk
    keep_back(maker.username, maker)
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
