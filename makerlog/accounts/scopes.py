"""What a token may be good for: ``resource:read`` or ``resource:write``; write includes read."""

RESOURCES = ("tasks", "products", "projects", "discussions", "user")
# What a log-in has, and a personal token whose maker names none.
SCOPES = (*(f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")), "notifications:read")
TOKENS = "tokens"  # makes and revokes tokens without the password: only where it is named
KNOWN_SCOPES = (*SCOPES, TOKENS)


def unknown_scopes(scopes: list[str]) -> list[str]:
    return sorted(set(scopes) - set(KNOWN_SCOPES))


def grants(scopes: list[str], resource: str, verb: str) -> bool:
    """Whether ``scopes`` allow ``verb`` (read or write) on ``resource``."""
    return f"{resource}:write" in scopes or f"{resource}:{verb}" in scopes


def covers(scopes: list[str], wanted: list[str]) -> bool:
    """Whether all of ``wanted`` is within ``scopes``: no token makes a stronger one."""
    return all(scope in scopes or f"{scope.partition(':')[0]}:write" in scopes for scope in wanted)
