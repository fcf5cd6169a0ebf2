"""What a token may be good for: ``resource:read`` or ``resource:write``; write includes read."""

RESOURCES = ("tasks", "products", "projects", "discussions", "user")
SCOPES = (*(f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")), "notifications:read")


def unknown_scopes(scopes: list[str]) -> list[str]:
    return sorted(set(scopes) - set(SCOPES))


def grants(scopes: list[str], resource: str, verb: str) -> bool:
    """Whether ``scopes`` allow ``verb`` (read or write) on ``resource``."""
    return f"{resource}:write" in scopes or f"{resource}:{verb}" in scopes


def covers(scopes: list[str], wanted: list[str]) -> bool:
    """Whether all of ``wanted`` is within ``scopes``: no token makes a stronger one."""
    return all(grants(scopes, *scope.split(":")) for scope in wanted)
