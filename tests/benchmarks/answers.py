"""Whether the services say the same: nobody is measured who does not."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

# What two posts of the same task do not share.
OF_ITS_OWN = {"id", "created_at", "updated_at", "done_at"}
OF_ITS_AUTHOR = {"id", "username", "date_joined", "streak", "week_tda", "maker_score"}


def same(one: Any, other: Any) -> bool:
    """As JSON: 1, 1.0 and true are three things. Sets of projects and products are in no order."""
    return canonical(one) == canonical(other)


def canonical(page: Any) -> bytes:
    return orjson.dumps(in_order(page), option=orjson.OPT_SORT_KEYS)


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(each, key=lambda row: row["id"]) if key.endswith("_set") else in_order(each)
            for key, each in value.items()
        }
    return [in_order(each) for each in value] if isinstance(value, list) else value


def rows_of(answer: tuple[int, Any]) -> Any:
    """The rows of a page, and whether there are more."""
    status, page = answer
    assert status == 200, (status, page)
    return page["results"], page["next"] is not None


def cursor_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["cursor"][0]


def posted(answer: tuple[int, Any]) -> Any:
    """A task just posted, without what is its own or its author's."""
    status, task = answer
    assert status == 201, (status, task)
    projects = [{**each, "id": 0, "user": 0} for each in task["project_set"]]
    user = {key: value for key, value in task["user"].items() if key not in OF_ITS_AUTHOR}
    return {**{key: task[key] for key in task.keys() - OF_ITS_OWN}, "project_set": projects, "user": user}
