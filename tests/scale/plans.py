"""What PostgreSQL did for a query, read off EXPLAIN (ANALYZE, BUFFERS)."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

READ_PER_PAGE = {"tasks_task", "tasks_taskproject", "tasks_taskproduct"}
Node = dict[str, Any]
MOST_HUNG = 50  # looked at for what hangs on one row: the most that may


@dataclass(frozen=True)
class Cost:
    """Of the rows of a page, without what hangs on them. ``rows``: of the busiest scan of the tables that pages are read
    from, returned and removed by filter together. ``buffers``: blocks touched."""

    rows: int
    buffers: int


def explain(sql: str, tables: Collection[str] | None = READ_PER_PAGE) -> Cost:
    """``tables``: those whose scans count; None for all. What hangs on a row is held to MOST_HUNG, whatever the page."""
    top = plan(sql)
    hung = [node for node in nodes(top) if hangs(node)]
    assert all(each <= MOST_HUNG for node in hung for each in looked_at_each_time(node)), hung
    read = [node for node in nodes(top, but=hangs) if "Relation Name" in node]
    scans = [looked_at(node) for node in read if tables is None or node["Relation Name"] in tables]
    return Cost(rows=max(scans, default=0), buffers=buffers(top) - sum(map(buffers, hung)))


def plan(sql: str) -> Node:
    """The topmost node."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        [found] = json.loads(json.dumps(cursor.fetchone()[0]))
    return found["Plan"]


def nodes(node: Node, but: Callable[[Node], bool] = lambda node: False) -> Iterator[Node]:
    """It, and all below it, without what ``but`` leaves out."""
    if not but(node):
        yield node
        for child in node.get("Plans", []):
            yield from nodes(child, but)


def hangs(node: Node) -> bool:
    """Whether it is a column that gathers what hangs on a row (see makerlog.api.compiled.Hanging)."""
    return node.get("Parent Relationship") == "SubPlan" and node["Node Type"] == "Aggregate"


def looked_at_each_time(node: Node) -> list[float]:
    """Rows of each scan below, for each time that ``node`` is worked out."""
    return [looked_at(each) / max(1, node["Actual Loops"]) for each in nodes(node) if "Relation Name" in each]


def buffers(node: Node) -> int:
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def looked_at(node: Node) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round((node["Actual Rows"] + removed) * node["Actual Loops"])


def sorted_rows(node: Node) -> int:
    """How many rows it sorts; 0 of what is no sort."""
    if node["Node Type"] != "Sort":
        return 0
    return sum(round(child["Actual Rows"] * child["Actual Loops"]) for child in node["Plans"])
