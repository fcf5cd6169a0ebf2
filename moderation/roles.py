"""Who of the staff may do what: one table. A role is read off a maker's flags, nothing else gives rights here."""

from enum import IntEnum
from typing import Any

from django.core.exceptions import PermissionDenied


class Role(IntEnum):
    NONE = 0
    HELPER = 1  # is_staff
    MODERATOR = 2  # is_staff and is_moderator
    ADMIN = 3  # is_superuser, and whoever can run a command on the server


# The least role for each act.
NEEDS = {
    "look": Role.HELPER,
    "ban.briefly": Role.HELPER,  # one address, anonymous only, for at most BRIEFLY
    "lift.own": Role.HELPER,
    "warn": Role.HELPER,
    "ban": Role.MODERATOR,
    "lift": Role.MODERATOR,
    "hide": Role.MODERATOR,
    "badge": Role.MODERATOR,
    "suspend": Role.MODERATOR,
    "revoke": Role.MODERATOR,
    "suspend.staff": Role.ADMIN,  # or close their account, or warn them
    "lockdown": Role.MODERATOR,  # a flood at night waits for no admin; token holders notice nothing of it
    "force": Role.ADMIN,  # against the guard rails
    "route": Role.ADMIN,
    "roles": Role.ADMIN,
    "jobs": Role.ADMIN,  # they name addresses that mails go to
}


class NotAllowed(PermissionDenied):
    """The actor's role is too low. The message is one sentence."""


def role_of(actor: Any) -> Role:
    """``actor``: a maker; None for a command on the server."""
    if actor is None:
        return Role.ADMIN
    if not actor.is_active or actor.suspension:
        return Role.NONE
    if actor.is_superuser:
        return Role.ADMIN
    if not actor.is_staff:
        return Role.NONE
    return Role.MODERATOR if actor.is_moderator else Role.HELPER


def may(actor: Any, act: str) -> bool:
    return role_of(actor) >= NEEDS[act]


def require(actor: Any, act: str) -> None:
    """Raises NotAllowed where ``actor`` may not do ``act``."""
    if not may(actor, act):
        raise NotAllowed(f"This takes the role {NEEDS[act].name.lower()} ({act}).")


def may_over(maker: Any, actor: Any, act: str) -> bool:
    """To staff only an admin does it. The flags count, not the role: suspended staff are still no prey of their equals."""
    return may(actor, act) and (not is_staff(maker) or may(actor, "suspend.staff"))


def require_over(maker: Any, actor: Any, act: str = "suspend") -> None:
    """Raises NotAllowed where ``actor`` may not do ``act`` to ``maker``: nobody does it to themselves."""
    require_somebody_else(maker, actor)
    require(actor, act)
    if is_staff(maker):
        require(actor, "suspend.staff")


def is_staff(maker: Any) -> bool:
    return bool(maker.is_staff or maker.is_superuser)


def require_somebody_else(maker: Any, actor: Any) -> None:
    if actor is not None and actor.pk == maker.pk:
        raise NotAllowed("Nobody does this to themselves; ask another of the staff.")


def flags_of(role: Role) -> dict[str, bool]:
    """The flags that give ``role``, and none beyond it."""
    return {
        "is_staff": role >= Role.HELPER,
        "is_moderator": role >= Role.MODERATOR,
        "is_superuser": role >= Role.ADMIN,
    }
