"""The only way to act: the admin's pages, the commands and the rules all call these. Each is announced to every process and
noted in the audit log, in one transaction; but for revocations, which may be too large for one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from makerlog.accounts import emails
from makerlog.accounts.actions import end_tokens, has_proven, locked_maker
from makerlog.accounts.admins import keep_an_admin
from makerlog.accounts.models import AccessToken, Maker
from makerlog.api.exceptions import Conflict
from makerlog.changes.journal import announce
from makerlog.env import Network
from makerlog.gate.bans import network_of
from moderation import second_factor
from moderation.audit import note
from moderation.cleanups import Posts, clean_up, hit
from moderation.emails import mail_second_factor, mail_warning
from moderation.guards import WIDEST, Guarded, objections
from moderation.links import BANS_FOR, Link, LinkUsed
from moderation.models import (
    UNDONE_WITHIN,
    AllowlistEntry,
    AuditEntry,
    Ban,
    Cleanup,
    DeviceEpoch,
    Lockdown,
    RouteSwitch,
    RuleAct,
    SignInFailure,
    UsedLink,
)
from moderation.revocation import Chosen, Row
from moderation.roles import Role, flags_of, is_staff, require, require_over, require_somebody_else
from moderation.routes import checked
from moderation.rules import REMEMBERED, RULES, UNDONE_HOLDS, Offence, sentence, span_after
from moderation.tickets import EVERYBODY

T = TypeVar("T")

BRIEFLY = timedelta(hours=1)  # the longest ban that a helper may set
LOCK = 0x6D6B6C02  # any constant that no other pair of advisory locks of this database begins with


@transaction.atomic
def ban(
    *,
    network: Network,
    applies_to: str = Ban.AppliesTo.EVERYTHING,
    expires_at: datetime | None = None,
    reason: str = "",
    reason_is_public: bool = False,
    origin: str = Ban.Origin.MANUAL,
    actor: Any = None,
    own_address: str = "",
    force: bool = False,
    act: str = "ban",
) -> Ban:
    """Refuses ``network`` within the next second. Takes the place of the ban of the same network, if one stands.

    Raises Guarded where the guard rails refuse it (``own_address``: the actor's) and nobody forces it, and NotAllowed.
    ``act``: what the audit log calls it.
    """
    now = timezone.now()
    require(actor, "ban.briefly" if is_brief(network, applies_to, expires_at) else "ban")
    if force:
        require(actor, "force")
    elif sentences := guarded(network, own_address):
        raise Guarded(sentences)
    take_turn(network)
    replaced = list(Ban.objects.select_for_update().filter(network=str(network), lifted_at=None))
    require_to_lift(replaced, actor)
    Ban.objects.filter(pk__in=[each.pk for each in replaced]).update(lifted_at=now)
    made = Ban.objects.create(
        network=str(network),
        family=network.version,
        low=int(network.network_address),
        high=int(network.broadcast_address),
        applies_to=applies_to,
        expires_at=expires_at,
        reason=reason,
        reason_is_public=reason_is_public,
        origin=origin,
        author=actor,
        forced=force,
        created_at=now,
    )
    expiry = expires_at.isoformat() if expires_at else None
    details = {"applies_to": str(applies_to), "expires_at": expiry, "forced": force}
    note(act=act, subject=f"ban:{made.pk}", actor=actor, reason=reason, **details)
    announce("ban", [made.pk, *(each.pk for each in replaced)])
    return made


def guarded(network: Network, own: str = "") -> list[str]:
    """What speaks against a ban of ``network``, in sentences."""
    allowed = list(map(str, AllowlistEntry.objects.covering(network)))
    return objections(network, trusted=settings.TRUSTED_PROXIES, cdn=settings.CDN_RANGES, own=own, allowed=allowed)


@transaction.atomic
def allow(
    *, network: Network, note_of_it: str, expires_at: datetime | None = None, actor: Any = None
) -> AllowlistEntry:
    """Keeps rules and bans of ranges off ``network`` within the next second, unless a ban is forced. Takes the place of the
    entry of the same network. ValueError, in one sentence, where it is too wide or has no note."""
    require(actor, "ban")
    if not note_of_it.strip():
        raise ValueError("Say in the note whose network it is.")
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(f"{network} is wider than /{WIDEST[network.version]}: no ban would be left there.")
    values = {"note": note_of_it[:300], "expires_at": expires_at, "author": actor, "created_at": timezone.now()}
    entry, _ = AllowlistEntry.objects.update_or_create(network=str(network), defaults=values)
    expiry = expires_at.isoformat() if expires_at else None
    note(act="allowlist.add", subject=f"allowlist:{entry.pk}", actor=actor, expires_at=expiry)
    announce("allowlist", [entry.pk])
    return entry


@transaction.atomic
def disallow(*, entry: int, actor: Any = None) -> int:
    """Takes the entry of this id off the allowlist: how many there were."""
    require(actor, "ban")
    removed, _ = AllowlistEntry.objects.filter(pk=entry).delete()
    if removed:
        note(act="allowlist.remove", subject=f"allowlist:{entry}", actor=actor)
        announce("allowlist", [entry])
    return removed


@transaction.atomic
def ban_by_link(*, link: Link, own_address: str = "") -> Ban:
    """What whoever holds the link of an alert may do, once: ban that network for an hour, anonymous only. Raises LinkUsed,
    and Guarded as any ban."""
    if not UsedLink.objects.get_or_create(nonce=link.nonce)[1]:
        raise LinkUsed("This link has set its ban already. It can be lifted in the admin.")
    end = timezone.now() + BANS_FOR
    made = ban(
        network=link.network,
        applies_to=Ban.AppliesTo.ANONYMOUS,
        expires_at=end,
        reason="Confirmed by the link of an alert.",
        own_address=own_address,
    )
    note(act="alert.link", subject=f"ban:{made.pk}")
    return made


def take_turn(subject: object) -> None:
    """Whoever bans the same network at the same moment waits until this transaction ends, and replaces its ban."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, str(subject)])


@transaction.atomic
def lift(*, bans: list[int], actor: Any = None, reason: str = "") -> int:
    """Lifts the bans of these ids: how many stood. Raises NotAllowed where one of them is not the actor's to lift."""
    stood = list(Ban.objects.select_for_update().filter(pk__in=bans, lifted_at=None).order_by("pk"))
    require_to_lift(stood, actor)
    now = timezone.now()
    Ban.objects.filter(pk__in=[each.pk for each in stood]).update(lifted_at=now)
    RuleAct.objects.filter(ban__in=stood, undone_at=None).update(undone_at=now)
    for each in stood:
        note(act="lift", subject=f"ban:{each.pk}", actor=actor, reason=reason)
    announce("ban", [each.pk for each in stood])
    return len(stood)


def is_brief(network: Network, applies_to: str, expires_at: datetime | None) -> bool:
    """Whether a ban is of the kind that every helper may set: of one client, anonymous only, over soon."""
    one_client = network.prefixlen >= (32 if network.version == 4 else 64)
    soon = expires_at is not None and expires_at <= timezone.now() + BRIEFLY
    return one_client and soon and applies_to == Ban.AppliesTo.ANONYMOUS


def require_to_lift(bans: list[Ban], actor: Any) -> None:
    """Raises NotAllowed. To replace a ban is to lift it; one that has expired is nobody's any more."""
    foreign = any(each.stands and (actor is None or each.author_id != actor.pk) for each in bans)
    require(actor, "lift" if foreign else "lift.own")


# --- Makers ---


@transaction.atomic
def suspend(
    *,
    maker: Maker,
    kind: str = Maker.Suspension.READ_ONLY,
    actor: Any = None,
    reason: str = "",
    expires_at: datetime | None = None,
) -> Maker:
    """Makes a maker read-only, or puts them out, until ``expires_at`` or for good; takes the place of what held before.
    ``reason`` stands in what the API answers the maker; no mail goes out. What they posted stays as it is. Conflict: it is
    the last admin.

    ``no_key``: the lock does not wait for what the maker is posting just now.
    """
    if kind not in (Maker.Suspension.READ_ONLY, Maker.Suspension.OUT):
        raise ValueError(f"A maker is suspended read_only or out, not {kind!r}.")
    require_over(maker, actor)
    keep_an_admin(maker)
    maker = locked_maker(maker, no_key=True)
    require_over(maker, actor)  # as they are now
    _set(maker, suspended=kind, suspended_until=expires_at, suspension_reason=reason[:300])
    make_strange(maker)
    expiry = expires_at.isoformat() if expires_at else None
    note(act="suspend", subject=f"maker:{maker.pk}", actor=actor, reason=reason, kind=str(kind), expires_at=expiry)
    announce("maker", [maker.pk])
    return maker


@transaction.atomic
def unsuspend(*, maker: Maker, actor: Any = None, reason: str = "") -> Maker:
    maker = locked_maker(maker, no_key=True)
    require_over(maker, actor)
    _set(maker, suspended=Maker.Suspension.NONE, suspended_until=None, suspension_reason="")
    note(act="unsuspend", subject=f"maker:{maker.pk}", actor=actor, reason=reason)
    announce("maker", [maker.pk])
    return maker


@transaction.atomic
def set_open(*, maker: Maker, is_open: bool, actor: Any = None, reason: str = "") -> Maker:
    """Closes an account, or opens it (again): one that awaits activation needs its link no more, and who opens it answers for
    its address. Conflict: another account has that by now; or it is the last admin's."""
    require_over(maker, actor)
    if not is_open:
        keep_an_admin(maker)
    maker = locked_maker(maker, no_key=True)
    require_over(maker, actor)
    if is_open and not maker.email and maker.pending_email and not has_proven(maker):
        raise Conflict("This address belongs to another account.", "email_taken")
    _set(maker, is_active=is_open, awaiting_activation=False)
    make_strange(maker)
    note(act="open" if is_open else "close", subject=f"maker:{maker.pk}", actor=actor, reason=reason)
    announce("maker", [maker.pk])
    return maker


@transaction.atomic
def set_role(*, maker: Maker, role: Role, actor: Any = None, reason: str = "") -> Maker:
    require(actor, "roles")
    require_somebody_else(maker, actor)
    if role < Role.ADMIN:
        keep_an_admin(maker)
    maker = locked_maker(maker, no_key=True)
    make_strange(maker)
    _set(maker, **flags_of(role))
    note(act="role", subject=f"maker:{maker.pk}", actor=actor, reason=reason, role=role.name.lower())
    announce("maker", [maker.pk])
    return maker


@transaction.atomic
def warn(*, maker: Maker, reason: str, actor: Any = None) -> AuditEntry:
    """Sends a maker a word by mail, and nothing else: ``reason`` is what they read."""
    require_over(maker, actor, "warn")
    if not reason.strip():
        raise ValueError("A warning without words says nothing.")
    entry = note(act="warn", subject=f"maker:{maker.pk}", actor=actor, reason=reason)
    mail_warning.enqueue(entry.pk)
    return entry


def make_strange(maker: Maker) -> None:
    """No device of ``maker``'s, if they are of the staff, is known any more where staff sign in. Announce it after."""
    if is_staff(maker):
        DeviceEpoch.objects.update_or_create(key=str(maker.pk), defaults={"at": timezone.now()})


@transaction.atomic
def revoke_tickets(*, actor: Any = None, reason: str = "") -> None:
    """All of the staff lose their admission to the ops lane, and no device of theirs is known; whoever is signed in gets a
    new ticket with the next page."""
    require(actor, "roles")
    DeviceEpoch.objects.update_or_create(key=EVERYBODY, defaults={"at": timezone.now()})
    note(act="revoke_tickets", subject="tickets", actor=actor, reason=reason)
    announce("maker", [EVERYBODY])


@transaction.atomic
def switch_route(
    *, route: str, state: str, message: str = "", expires_at: datetime | None = None, actor: Any = None
) -> RouteSwitch:
    """Answers ``route`` so in every process within a second, until ``expires_at`` or for good; after that it is open.
    ``message`` is told to those refused. Raises UnknownRoute."""
    require(actor, "route")
    values = {"state": RouteSwitch.State(state), "message": message, "expires_at": expires_at}
    whose = {"author": actor, "changed_at": timezone.now()}
    switch, _ = RouteSwitch.objects.update_or_create(route=checked(route), defaults=values | whose)
    expiry = expires_at.isoformat() if expires_at else None
    note(act="route", subject=f"route:{route}", actor=actor, reason=message, state=state, expires_at=expiry)
    announce("route", [route])
    return switch


@transaction.atomic
def lock_down(
    *, level: str, notice: str = "", expires_at: datetime | None = None, actor: Any = None, reason: str = ""
) -> Lockdown:
    """Declares ``level`` in every process within a second, until ``expires_at`` or until it is changed; after that it is
    normal. ``notice`` is told to everybody, at /status/; ``reason`` to the staff."""
    require(actor, "lockdown")
    values = {"level": Lockdown.Level(level), "notice": notice, "expires_at": expires_at}
    whose = {"author": actor, "changed_at": timezone.now()}
    declared, _ = Lockdown.objects.update_or_create(id=1, defaults=values | whose)
    expiry = expires_at.isoformat() if expires_at else None
    note(act="lockdown", subject="lockdown", actor=actor, reason=reason, level=level, notice=notice, expires_at=expiry)
    announce("lockdown", [level])
    return declared


def _set(maker: Maker, **values: Any) -> None:
    for name, value in values.items():
        setattr(maker, name, value)
    maker.save(update_fields=[*values])


# --- Posts ---

MODERATED = {  # of one post: what is noted where it is set, and where it is taken back
    "hidden": ("hide", "show"),
    "locked": ("lock", "unlock"),
    "pinned": ("pin", "unpin"),
    "deleted": ("delete", "delete"),  # for good: nothing takes it back
}


@transaction.atomic
def moderate(*, kind: str, values: dict[str, bool], change: Callable[[], T], actor: Any = None, reason: str = "") -> T:
    """Does ``change``, which sets ``values`` of one post and returns it, and notes each. Undone by the opposite value."""
    require(actor, "hide")
    row: Any = change()
    for name, value in values.items():
        act = MODERATED[name][0 if value else 1]
        note(act=f"post.{act}", subject=f"{kind}:{row.pk}", actor=actor, reason=reason)
    return row


class TooLate(ValueError):
    """A clean-up that cannot be undone. The message is one sentence."""


@transaction.atomic
def hide_posts(*, posts: Posts, actor: Any = None, reason: str = "") -> Cleanup:
    """Hides all of it from everybody but moderators, in a job. Undone by ``unhide_posts``. Raises NothingChosen."""
    require(actor, "hide")
    made = Cleanup.objects.create(
        token=posts.token,
        maker=posts.maker,
        network=str(posts.network or ""),
        since=posts.since,
        until=posts.until,
        expected=hit(posts).count,
        reason=reason[:300],
        author=actor,
    )
    note(act="hide_posts", subject=f"cleanup:{made.pk}", actor=actor, reason=reason, **chosen_by(made))
    clean_up.enqueue(made.pk)
    return made


@transaction.atomic
def unhide_posts(*, cleanup: int, actor: Any = None, reason: str = "") -> Cleanup:
    """Shows again what this clean-up hid, as it is by now, in a job; also while it is still hiding. Raises TooLate."""
    require(actor, "hide")
    found = Cleanup.objects.select_for_update(no_key=True).get(pk=cleanup)
    if not found.may_be_undone:
        raise TooLate(why_not_undone(found))
    found.state, found.finished_at = Cleanup.State.SHOWING, None
    found.save(update_fields=["state", "finished_at"])
    note(act="unhide_posts", subject=f"cleanup:{found.pk}", actor=actor, reason=reason)
    clean_up.enqueue(found.pk)
    return found


def why_not_undone(cleanup: Cleanup) -> str:
    if cleanup.state in (Cleanup.State.SHOWING, Cleanup.State.SHOWN):
        return f"Clean-up {cleanup.pk} is undone already."
    return f"Clean-up {cleanup.pk} could be undone for {UNDONE_WITHIN.days} days, until {cleanup.undo_until:%Y-%m-%d}."


def chosen_by(cleanup: Cleanup) -> dict[str, Any]:
    """For the audit log. An address would name somebody; how wide the range was does not."""
    since, network = cleanup.since, cleanup.network
    given = {
        "token": cleanup.token,
        "maker": cleanup.maker,
        "network": f"a /{network.partition('/')[2]}" if network else None,
        "posted": [since.isoformat() if since else None, cleanup.until.isoformat()],
        "at_least": cleanup.expected,
    }
    return {name: value for name, value in given.items() if value is not None}


# --- Rules ---


@transaction.atomic
def act_by_rule(*, offence: Offence, dry_run: bool) -> RuleAct | None:
    """Does what the rule says, or, in a dry run, only notes that it would have. None: it is done already, by whichever
    process or person; or somebody undid it lately."""
    rule, now = RULES[offence.rule], timezone.now()
    network = network_of(offence.subject) if rule.acts == "ban" else None
    take_turn(network or offence.subject)
    acts = RuleAct.objects.filter(subject=offence.subject, dry_run=dry_run, at__gt=now - REMEMBERED)
    stands = acts.filter(undone_at=None, until__gt=now)
    if stands.exists() or acts.filter(rule=rule.name, undone_at__gt=now - UNDONE_HOLDS).exists():
        return None
    if network is not None and Ban.objects.standing().covering(network).exists():
        return None
    if network is not None and AllowlistEntry.objects.covering(network).exists():
        return None
    span = span_after(acts.filter(undone_at=None).count())
    said = {"rule": rule.name, "subject": offence.subject, "sentence": sentence(offence, span)}
    made = RuleAct(**said, at=now, until=now + span, dry_run=dry_run)
    if not dry_run and not _carry_out(made, network):
        return None
    made.save()
    return made


def _carry_out(made: RuleAct, network: Network | None) -> bool:
    """Whether there was anything to do: the token may have ended."""
    act, reason = RULES[made.rule].act, made.sentence.removeprefix(f"{made.subject} ")  # the audit log names nobody
    if network is not None:
        made.ban = ban(
            network=network,
            applies_to=Ban.AppliesTo.ANONYMOUS,
            expires_at=made.until,
            reason=reason,
            reason_is_public=True,
            origin=Ban.Origin.RULE,
            act=act,
        )
        return True
    token = AccessToken.objects.filter(pk=int(made.subject.partition(":")[2]), revoked_at=None).first()
    if token is not None:
        pause_token(token=token, until=made.until, reason=reason, act=act)
    return token is not None


@transaction.atomic
def undo_rule_act(*, made: RuleAct, actor: Any = None, reason: str = "") -> None:
    """Takes back what a rule did, and keeps it from doing the same again for UNDONE_HOLDS. Of a dry run: says that it was
    wrong."""
    if made.ban_id is not None:
        lift(bans=[made.ban_id], actor=actor, reason=reason)
    elif not made.dry_run:
        token = AccessToken.objects.filter(pk=int(made.subject.partition(":")[2])).first()
        if token is not None:
            pause_token(token=token, until=None, actor=actor, reason=reason)
    else:
        require(actor, "lift")
    RuleAct.objects.filter(pk=made.pk, undone_at=None).update(undone_at=timezone.now())


# --- Tokens ---


@transaction.atomic
def pause_token(
    *, token: AccessToken, until: datetime | None, actor: Any = None, reason: str = "", act: str = "pause_token"
) -> None:
    """``token`` may read but not write ``until`` then; None: it may write again. A pause is told to its owner by mail."""
    require(actor, "revoke")
    AccessToken.objects.filter(pk=token.pk).update(paused_until=until)
    act = act if until else "resume_token"
    expiry = until.isoformat() if until else None
    note(act=act, subject=f"token:{token.pk}", actor=actor, reason=reason, expires_at=expiry)
    if until is not None:
        emails.mail_token_paused.enqueue(token.pk, reason)
    announce("token", [token.public_id])


BATCH = 1_000  # tokens in one transaction: 0.1 to 0.2 s, and others announce nothing during the last part of it
OWNERS_AT_ONCE = 100


@dataclass(frozen=True)
class Revocation:
    """What became of it. ``told``: owners to whom a mail is on its way; ``untold``: those without an address."""

    tokens: int
    told: int
    untold: int


def revoke_tokens(*, chosen: Chosen, actor: Any = None, reason: str = "") -> Revocation:
    """Revokes what was chosen and tells each owner once, with ``reason``. Noted first, so that none goes unnoted that
    breaks off halfway; then batch by batch, so that no lock is held for long."""
    require(actor, "revoke")
    because = reason or "moderation had grounds to"
    counts = {"tokens": len(chosen.rows), "makers": len(chosen.makers)}
    note(act="revoke", subject=chosen.subject, actor=actor, reason=reason, **counts, **chosen.details)
    ended: set[int] = set()
    for start in range(0, len(chosen.rows), BATCH):
        with transaction.atomic(durable=True):
            batch = [row.pk for row in chosen.rows[start : start + BATCH]]
            ended.update(end_tokens(AccessToken.objects.filter(pk__in=batch), because))
    owners = _by_owner(row for row in chosen.rows if row.pk in ended)
    told = _tell(owners)
    return Revocation(tokens=len(ended), told=told, untold=len(owners) - told)


def _by_owner(rows: Iterable[Row]) -> dict[int, list[int]]:
    owned: dict[int, list[int]] = {}
    for row in rows:
        owned.setdefault(row.maker_id, []).append(row.pk)
    return owned


@transaction.atomic
def _tell(owners: dict[int, list[int]]) -> int:
    """Enqueues a mail to each owner who has an address: how many those were."""
    told, pks = 0, list(owners)
    for start in range(0, len(pks), OWNERS_AT_ONCE):
        reachable = Maker.objects.filter(pk__in=pks[start : start + OWNERS_AT_ONCE]).exclude(email="")
        for maker in reachable.values_list("pk", flat=True):
            emails.mail_tokens_revoked.enqueue(maker, owners[maker])
            told += 1
    return told


# --- How the staff sign in ---


@transaction.atomic
def sign_in(*, maker: Maker, factor: str, by_api: bool = False) -> None:
    """Notes that one of the staff is in. ``factor``: "totp", "recovery" or "none"."""
    act = "sign_in.api" if by_api else "sign_in"
    note(act=act, subject=f"maker:{maker.pk}", actor=maker, second_factor=factor)


def count_failure(*, kind: str, maker: Maker | None) -> None:
    """Counts a sign-in that failed, in the row of its hour. ``maker``: whose, if they are of the staff."""
    whose = maker if maker is not None and is_staff(maker) else None
    row = {"hour": timezone.now().replace(minute=0, second=0, microsecond=0), "kind": kind, "maker": whose}
    if not SignInFailure.objects.filter(**row).update(count=F("count") + 1):
        # Whoever else counts the first of an hour at this moment counts it.
        SignInFailure.objects.bulk_create([SignInFailure(**row)], ignore_conflicts=True)


@transaction.atomic
def set_up_second_factor(*, maker: Maker, key: str, code: str) -> list[str]:
    """The recovery codes, which nobody sees again. Raises WrongCode, also where there is a second factor already."""
    maker = locked_maker(maker, no_key=True)
    if second_factor.has_factor(maker.pk):
        raise second_factor.WrongCode("There is a second factor already; take it off first.")
    second_factor.confirmed_device(maker, key, code)
    codes = second_factor.new_recovery_codes(maker)
    note(act="second_factor.set_up", subject=f"maker:{maker.pk}", actor=maker)
    mail_second_factor.enqueue(maker.pk, "was set up")
    return codes


@transaction.atomic
def renew_recovery_codes(*, maker: Maker) -> list[str]:
    codes = second_factor.new_recovery_codes(locked_maker(maker, no_key=True))
    note(act="second_factor.codes", subject=f"maker:{maker.pk}", actor=maker)
    mail_second_factor.enqueue(maker.pk, "has new recovery codes; the old ones work no more")
    return codes


@transaction.atomic
def take_off_second_factor(*, maker: Maker) -> None:
    """One's own. Whoever acts has just shown a code."""
    maker = locked_maker(maker, no_key=True)
    second_factor.forget(maker)
    end_verified_tokens(maker)
    note(act="second_factor.taken_off", subject=f"maker:{maker.pk}", actor=maker)
    mail_second_factor.enqueue(maker.pk, "was taken off")


def end_verified_tokens(maker: Maker) -> None:
    """Log-ins that showed a code of a second factor that is gone end with it."""
    end_tokens(AccessToken.objects.filter(maker=maker, second_factor=True))


@transaction.atomic
def reset_second_factor(*, maker: Maker, actor: Any = None, reason: str = "") -> bool:
    """Takes somebody else's second factor from them, whose phone is lost: whether they had one. Their sessions, tickets
    and known devices end with it."""
    require(actor, "roles")
    require_somebody_else(maker, actor)
    maker = locked_maker(maker, no_key=True)
    had = second_factor.forget(maker) > 0
    end_verified_tokens(maker)
    make_strange(maker)
    note(act="second_factor.reset", subject=f"maker:{maker.pk}", actor=actor, reason=reason)
    mail_second_factor.enqueue(maker.pk, "was reset by an admin")
    announce("maker", [maker.pk])
    return had
