"""Bounds in bytes: what a page holds, and what a search reads, however heavy the rows are."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from discussions.models import MAX_BODY, Discussion
from makerlog.accounts.models import Maker
from makerlog.api import keyset
from makerlog.api.renderers import PAGE_BYTES, rows_within
from tasks.models import Task
from tests.discussions.talks import make_discussion, make_reply
from tests.makers import Caller, anonymous, caller
from tests.tasks.logs import NOON, bulk

pytestmark = pytest.mark.django_db

ROWS = 60
SLACK = 4096  # the links, and what is said beside the rows
HEAVY = "é" * (MAX_BODY - 10)


def talks(author: Maker, count: int = ROWS, body: str = HEAVY, **values: Any) -> list[Discussion]:
    made = Discussion.objects.bulk_create(
        Discussion(author=author, title=f"T{n}", slug=f"t{n}", body=f"{body} {n}", created_at=NOON, **values)
        for n in range(count)
    )
    return made[::-1]


def envelope(page: Any) -> tuple[list[Any], str | None]:
    return page.json()["results"], page.json()["next"]


def bare(page: Any) -> tuple[list[Any], str | None]:
    links = dict(link.split("; ")[::-1] for link in page.get("Link", "").split(", ") if link)
    return page.json(), links.get('rel="next"', "").strip("<>") or None


def synced(page: Any) -> tuple[list[Any], str | None]:
    return page.json()["data"], page.json()["next"]


Shape = Callable[[Any], tuple[list[Any], str | None]]


def walk(client: Caller, url: str | None, rows_of: Shape) -> tuple[list[int], list[int]]:
    """The ids of all rows, and the bytes of each page."""
    ids: list[int] = []
    sizes: list[int] = []
    while url:
        page = client.get(url)
        assert page.status_code == 200, page.content[:200]
        rows, url = rows_of(page)
        ids += [row["id"] for row in rows]
        sizes.append(len(page.content))
    return ids, sizes


@pytest.mark.parametrize(
    ("path", "rows_of"),
    [
        ("/discussions/?limit=100", envelope),
        ("/discussions/?limit=100&ordering=created_at", envelope),
        ("/discussions/?limit=100&search=%C3%A9", envelope),
        ("/discussions/recent_discussions/?limit=100", bare),
    ],
)
def test_a_page_ends_at_256_kb_whatever_limit_says_and_next_goes_on(path: str, rows_of: Shape) -> None:
    client = caller("alice")
    ids = [each.pk for each in talks(client.maker)]
    for reader in (anonymous(), client):
        seen, sizes = walk(reader, path, rows_of)
        assert seen == (ids[::-1] if "ordering" in path else ids)
        assert max(sizes) <= PAGE_BYTES + SLACK
        assert min(sizes[:-1]) > PAGE_BYTES // 2


def test_replies_come_in_pages_of_256_kb_as_well() -> None:
    client = caller("alice")
    talk = make_discussion(client.maker)
    ids = [make_reply(talk, client.maker, HEAVY).pk for _ in range(20)]
    seen, sizes = walk(client, f"/discussions/{talk.slug}/replies/", bare)
    assert (seen, max(sizes) <= PAGE_BYTES + SLACK) == (ids, True)


def test_walking_back_through_heavy_pages_gives_the_same_rows() -> None:
    client = caller("alice")
    ids = [each.pk for each in talks(client.maker, 30)]
    url, last = "/discussions/?limit=100", {}
    while url:
        last = client.get(url).json()
        url = last["next"]
    back = [row["id"] for row in last["results"]]
    while last["previous"]:
        page = client.get(last["previous"])
        last = page.json()
        assert len(page.content) <= PAGE_BYTES + SLACK
        back = [row["id"] for row in last["results"]] + back
    assert back == ids


def test_a_sync_of_heavy_tasks_comes_in_pages_of_256_kb() -> None:
    client = caller("alice")
    bulk(client.maker, 100, description="é" * 5000)
    seen, sizes = walk(client, "/tasks/sync/?last_sync_date=2020-01-01", synced)
    assert sorted(set(seen)) == sorted(Task.objects.values_list("pk", flat=True))
    assert max(sizes) <= PAGE_BYTES + SLACK


def test_what_is_trending_is_as_much_as_fits_a_page() -> None:
    talks(caller("alice").maker)
    page = anonymous().get("/discussions/trending/")
    assert len(page.json()) > 0
    assert len(page.content) <= PAGE_BYTES + SLACK


@pytest.mark.parametrize(
    ("rows", "count"), [([], 0), (["a" * 500], 1), (["a" * 10] * 5, 5), (["a" * 40] * 5, 2), (["a" * 500, "a"], 1)]
)
def test_rows_within_a_size_are_counted_and_one_is_always_let_through(rows: list[str], count: int) -> None:
    assert rows_within(rows, 100) == count


def test_a_search_looks_at_so_many_bytes_a_page_and_finds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    client = caller("alice")
    made = talks(client.maker, 40, body="x" * 10_000)
    Discussion.objects.filter(pk__in=[each.pk for each in made[::8]]).update(title="Needle")
    monkeypatch.setattr(keyset, "WINDOW_BYTES", 50_000)  # and a pattern of up to ten letters: %needle%
    url, seen, pages = "/discussions/?search=needle&limit=100", [], 0
    while url:
        page = client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url, pages = page["next"], pages + 1
    assert seen == [each.pk for each in made[::8]]
    assert 8 <= pages <= 10  # 40 rows, of which five pass 50,000 bytes


@pytest.mark.parametrize("text", ["zzz", "é" * 99 + "z", "éz" * 50])
def test_a_search_over_heavy_rows_takes_the_database_a_moment(text: str, say: Callable[[str], None]) -> None:
    client = caller("alice")
    talks(client.maker, 1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE discussions_discussion")
    client.get("/discussions/?search=warm")
    began = time.monotonic()
    page = client.get(f"/discussions/?search={text}&limit=100")
    say(f"search for {text[:4]}...: {(time.monotonic() - began) * 1000:.0f} ms, {len(page.json()['results'])} rows")
    assert page.json()["next"]
    assert time.monotonic() - began < 0.3
