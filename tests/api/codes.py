"""Every error code that the source can put on the wire, found by reading it."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rest_framework import exceptions

ROOT = Path(__file__).parents[2]
FOLDERS = ("makerlog", "products", "tasks", "discussions", "moderation")
# What is raised takes its code second, after what is said; these take it elsewhere.
PLACES = {"json_error": 3, "error": 2}
RAISED = {
    "AuthenticationFailed", "BadParameter", "Busy", "Conflict", "NotAuthenticated", "NotFound", "ParseError",
    "ConflictForNow", "PermissionDenied", "Rejected", "Unavailable", "BodyTooLarge",
}  # fmt: skip
WORD = re.compile(r"[a-z]+(_[a-z]+)*")
NOT_ON_THE_WIRE = {"moderation/alerts.py", "makerlog/accounts/forms.py"}


def codes_in_source() -> dict[str, set[str]]:
    """By code, the files that name it."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            name = str(file.relative_to(ROOT))
            if "migrations" not in file.parts and name not in NOT_ON_THE_WIRE:
                for code in codes_in(ast.parse(file.read_text())):
                    found[code].add(name)
    return found


def codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from codes_of_class(node)
        elif isinstance(node, ast.Call):
            yield from codes_of_call(node)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (text for key, value in pairs if "code" in texts_of(key) for text in texts_of(value))


def codes_of_class(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        if isinstance(target, ast.Name) and target.id in ("code", "default_code"):
            yield from texts_of(getattr(each, "value", None))


def codes_of_call(node: ast.Call) -> Iterator[str]:
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
    place = PLACES.get(name, 1 if name in RAISED else None)
    if place is not None and len(node.args) > place:
        yield from texts_of(node.args[place])


def texts_of(node: ast.AST | None) -> list[str]:
    """What of ``node`` may be a code: either of two, where it is a choice."""
    if isinstance(node, ast.IfExp):
        return [*texts_of(node.body), *texts_of(node.orelse)]
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return [node.value] if is_text and WORD.fullmatch(node.value) else []  # type: ignore[attr-defined]


def codes_of_library() -> set[str]:
    """Of the exceptions of DRF's that are raised by itself, or without a code of ours."""
    ours = (
        exceptions.MethodNotAllowed, exceptions.NotAuthenticated, exceptions.ParseError,
        exceptions.PermissionDenied, exceptions.Throttled, exceptions.UnsupportedMediaType, exceptions.ValidationError,
    )  # fmt: skip
    return {each.default_code for each in ours}
