"""What OpenAPI says of each operation: its parameters with values worth trying, and a body that is right."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from tests.attack.crawler.hostile import MOMENTS, NUMBERS, TEXTS, Query

PLACE = re.compile(r"<[^>]+>|{[^}]+}")
NOT_FILTERS = {"cursor", "limit"}
DEPTH = 5
USUAL = 4
EXAMPLES = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "email": "crawler@example.com",
    "uri": "https://example.com/",
}
# What only a person knows: what goes for a name of a maker, a password, a time zone.
KNOWN = {"timezone": "Europe/Madrid", "username": "crawler", "password": "correct horse battery", "type": "TEXT"}


@dataclass(frozen=True)
class Contract:
    """The OpenAPI document of the URLconf in force."""

    document: dict[str, Any]

    @classmethod
    def current(cls) -> "Contract":
        return cls(SchemaGenerator().get_schema(request=None, public=True))

    @cached_property
    def operations(self) -> dict[tuple[str, str], dict[str, Any]]:
        """By address, its places nameless, and method in capitals."""
        return {
            (PLACE.sub("{}", path), method.upper()): operation
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def operation(self, route: str, method: str) -> dict[str, Any]:
        return self.operations.get((PLACE.sub("{}", f"/{route}"), method), {})

    def filters(self, route: str) -> list[tuple[Query, bool]]:
        """Each parameter of a GET with each of its values, and each two together with the first of theirs. With each,
        whether it is usual: the rest is hostile."""
        named = [each for each in self.operation(route, "GET").get("parameters", []) if each["in"] == "query"]
        choices = [
            [(each["name"], value) for value in values(each["schema"])]
            for each in named
            if each["name"] not in NOT_FILTERS
        ]
        pairs = [[first[0], second[0]] for first, second in combinations(choices, 2)]
        single = [([choice], place < USUAL) for each in choices for place, choice in enumerate(each)]
        return single + [(pair, True) for pair in pairs]

    def body(self, route: str, method: str) -> dict[str, Any] | None:
        """A JSON body that is right as far as OpenAPI tells; None where none is taken."""
        content = self.operation(route, method).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        example = self.example("", schema) if schema else None
        return example if isinstance(example, dict) else None

    def example(self, name: str, schema: dict[str, Any], depth: int = 0) -> Any:
        if "$ref" in schema:
            return self.example(name, self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
        if whole := schema.get("allOf") or schema.get("oneOf"):
            return self.example(name, whole[0], depth)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self.object(schema, depth)
        if kind == "array":
            return [self.example(name, schema["items"], depth + 1)] if depth < DEPTH else []
        if kind == "string":
            return KNOWN.get(name) or EXAMPLES.get(schema.get("format", ""), "crawler")
        return {"integer": 1, "number": 1, "boolean": True}.get(str(kind))

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        wanted = {
            name: each
            for name, each in schema.get("properties", {}).items()
            if each.get("format") != "binary" and not each.get("readOnly") and depth < DEPTH
        }
        return {name: self.example(name, each, depth + 1) for name, each in wanted.items()}


def values(schema: dict[str, Any]) -> list[str]:
    """What is worth trying of a parameter, the most common first, what is wrong among it."""
    if "enum" in schema:
        return [*map(str, schema["enum"]), "nonsense"]
    if schema.get("format") in ("date-time", "date"):
        return MOMENTS
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return NUMBERS
    return ["true", "false", "maybe"] if kind == "boolean" else TEXTS
