"""What PostgreSQL did for a query, read off EXPLAIN (ANALYZE, BUFFERS)."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

READ_PER_PAGE = {"tasks_task", "tasks_taskproject", "tasks_taskproduct"}


@dataclass(frozen=True)
class Cost:
    """``rows``: of the busiest scan of the tables that pages are read from, returned and removed by filter together.
    ``buffers``: blocks touched by the whole query."""

    rows: int
    buffers: int


def explain(sql: str, tables: Collection[str] | None = READ_PER_PAGE) -> Cost:
    """``tables``: those whose scans count; None for all."""
    top = plan(sql)
    read = [node for node in nodes(top) if "Relation Name" in node]
    scans = [looked_at(node) for node in read if tables is None or node["Relation Name"] in tables]
    return Cost(rows=max(scans, default=0), buffers=top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def plan(sql: str) -> dict[str, Any]:
    """The topmost node."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        [found] = json.loads(json.dumps(cursor.fetchone()[0]))
    return found["Plan"]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def looked_at(node: dict[str, Any]) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round((node["Actual Rows"] + removed) * node["Actual Loops"])


def sorted_rows(node: dict[str, Any]) -> int:
    """How many rows it sorts; 0 of what is no sort."""
    if node["Node Type"] != "Sort":
        return 0
    return sum(round(child["Actual Rows"] * child["Actual Loops"]) for child in node["Plans"])
