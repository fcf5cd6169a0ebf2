"""Walking lists: the envelope, the links, and every row exactly once."""

import string
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.signing import Signer
from django.db import connection
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from makerlog.accounts.models import Maker
from makerlog.api import keyset
from makerlog.api.pagination import CursorSigner, signer_of
from products.models import Project
from tasks.models import Task, TaskProject
from tasks.visibility import relist
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller, make_maker
from tests.tasks.logs import NOON, bulk

pytestmark = pytest.mark.django_db

MANY, FEW = 5_000, 700


def ids(page: dict[str, Any]) -> list[int]:
    return [row["id"] for row in page["results"]]


def pages(client: Caller, path: str, rel: str = "next") -> Iterator[dict[str, Any]]:
    """The pages of a list from ``path`` on, by their links."""
    url: str | None = path
    seen = set()
    while url:
        assert url not in seen, "the links go round"
        seen.add(url)
        response = client.get(url)
        assert response.status_code == 200, response.content
        page = response.json()
        yield page
        url = page[rel]


def walked(client: Caller, path: str) -> list[int]:
    return [pk for page in pages(client, path) for pk in ids(page)]


@pytest.fixture
def alice() -> Maker:
    return make_maker("alice")


# --- The envelope and its links ---


def test_a_token_sent_as_a_parameter_is_not_said_back_and_the_links_work(alice: Maker) -> None:
    bulk(alice, 3)
    page = anonymous().get("/tasks/?limit=2&token=mkl_secret&user=alice").json()
    assert "token" not in parse_qs(urlsplit(page["next"]).query)
    assert len(anonymous().get(page["next"]).json()["results"]) == 1
    assert len(anonymous().get(f"{page['next']}&token=mkl_secret").json()["results"]) == 1


def test_an_empty_list_is_an_envelope_too() -> None:
    assert anonymous().get("/tasks/").json() == {"next": None, "previous": None, "results": []}


def test_a_list_of_one_page_has_no_links(alice: Maker) -> None:
    bulk(alice, 20)
    page = anonymous().get("/tasks/").json()
    assert (page["next"], page["previous"], len(page["results"])) == (None, None, 20)


def test_links_are_of_our_own_address_whatever_the_host_says(alice: Maker) -> None:
    bulk(alice, 3)
    spoofed = {"HTTP_HOST": "127.0.0.1", "HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_PROTO": "gopher"}
    page = anonymous().get("/tasks/?limit=1", **spoofed).json()
    assert page["next"].startswith(f"{django_settings.PUBLIC_URL}/tasks/?limit=1&cursor=")


def test_links_keep_every_other_parameter_once(alice: Maker) -> None:
    bulk(alice, 5)
    page = anonymous().get("/tasks/?limit=1&user=alice&search=Task&foo=a%26b&foo=%C3%A9").json()
    for _ in range(2):
        said = parse_qs(urlsplit(page["next"]).query)
        assert {**said, "cursor": []} == {
            "limit": ["1"], "user": ["alice"], "search": ["Task"], "foo": ["a&b", "é"], "cursor": [],
        }  # fmt: skip
        assert len(said["cursor"]) == 1
        page = anonymous().get(page["next"]).json()


def test_a_missing_slash_makes_the_same_links(alice: Maker) -> None:
    bulk(alice, 3)
    assert anonymous().get("/tasks?limit=1").json() == anonymous().get("/tasks/?limit=1").json()


def test_a_bare_list_carries_its_links_in_a_header() -> None:
    client = caller("alice")
    bulk(client.maker, 5)
    first = client.get("/tasks/me/?limit=2")
    assert first["Link"].endswith('; rel="next"')
    second = client.get(first["Link"].split(">")[0][1:])
    assert [part.split("; ")[1] for part in second["Link"].split(", ")] == ['rel="next"', 'rel="prev"']
    links = {part.split("; ")[1]: part.split("; ")[0][1:-1] for part in second["Link"].split(", ")}
    assert client.get(links['rel="prev"']).json() == first.json()
    assert "Link" not in client.get("/tasks/me/?limit=5")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_walking_back_gives_the_same_pages(limit: int, alice: Maker) -> None:
    bulk(alice, 14)
    there = list(pages(anonymous(), f"/tasks/?limit={limit}"))
    back = list(pages(anonymous(), there[-1]["previous"], "previous")) if there[-1]["previous"] else []
    assert [ids(page) for page in back] == [ids(page) for page in reversed(there[:-1])]
    assert there[0]["previous"] is None
    if back:
        assert back[-1]["previous"] is None
        assert ids(anonymous().get(back[-1]["next"]).json()) == ids(there[1])


def test_a_cursor_is_signed_as_django_signs_with_older_keys_too(settings: Any, alice: Maker) -> None:
    for name in ("makerlog.cursor.a", "makerlog.cursor.b"):
        assert CursorSigner(salt=name).sign("x") == Signer(salt=name).sign("x")
    bulk(alice, 3)
    cursor = cursor_of("/tasks/?limit=1")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 8
    signer_of.cache_clear()
    assert anonymous().get(f"/tasks/?cursor={cursor}").status_code == 200


# --- Cursors that are none ---


def cursor_of(path: str, client: Caller | None = None) -> str:
    page = (client or anonymous()).get(path).json()
    return parse_qs(urlsplit(page["next"]).query)["cursor"][0]


@pytest.mark.parametrize(
    "other",
    ["/tasks/?user=alice", "/tasks/?ordering=created_at", "/tasks/?done=false", "/tasks/?x=1", "/users/", "/products/"],
)
def test_a_cursor_works_in_its_own_list_alone(other: str, alice: Maker) -> None:
    bulk(alice, 3)
    response = anonymous().get(f"{other}{'&' if '?' in other else '?'}cursor={cursor_of('/tasks/?limit=1')}")
    assert_error(response, 400, "bad_cursor")


def test_a_cursor_works_with_another_limit_and_for_another_reader(alice: Maker) -> None:
    bulk(alice, 3)
    cursor = cursor_of("/tasks/?limit=1")
    assert len(ids(anonymous().get(f"/tasks/?limit=2&cursor={cursor}").json())) == 2
    assert len(ids(caller("bob").get(f"/tasks/?cursor={cursor}").json())) == 2


@pytest.mark.parametrize(
    "forged", ["x", ":", "a:b", "null", "W10:x", "%00", "é", "A" * 5000, "..", ".a:b", "' OR 1=1--"]
)
def test_a_made_up_cursor_is_a_400(forged: str) -> None:
    assert_error(anonymous().get(f"/tasks/?cursor={forged}"), 400, "bad_cursor")


def test_a_cursor_that_is_no_text_is_a_400() -> None:
    assert_error(anonymous().get("/tasks/?cursor=%ff%fe"), 400, "parse_error")


def test_an_empty_cursor_is_none(alice: Maker) -> None:
    bulk(alice, 3)
    assert len(ids(anonymous().get("/tasks/?cursor=").json())) == 3


def test_a_cursor_cut_anywhere_is_a_400(alice: Maker) -> None:
    bulk(alice, 3)
    cursor = cursor_of("/tasks/?limit=1")
    for length in range(1, len(cursor)):
        assert_error(anonymous().get(f"/tasks/?limit=1&cursor={cursor[:length]}"), 400, "bad_cursor")


@pytest.mark.parametrize("salt", ["makerlog.cursor.", "django.core.signing.Signer", "makerlog.cursor"])
def test_a_cursor_signed_for_something_else_is_a_400(salt: str) -> None:
    forged = Signer(salt=salt).sign_object(["n", "2026-01-01T00:00:00+00:00", 1])
    assert_error(anonymous().get(f"/tasks/?cursor={forged}"), 400, "bad_cursor")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 300), letter=st.sampled_from(string.ascii_letters + string.digits + "-_:."))
def test_a_cursor_with_one_letter_changed_is_a_400(where: int, letter: str) -> None:
    maker = Maker.objects.filter(username="forger").first() or make_maker("forger")
    if not maker.tasks.exists():
        bulk(maker, 2)
    cursor = cursor_of("/tasks/?limit=1")
    where %= len(cursor)
    forged = cursor[:where] + letter + cursor[where + 1 :]
    assume(forged != cursor)
    assert_error(anonymous().get(f"/tasks/?limit=1&cursor={forged}"), 400, "bad_cursor")


def test_the_row_that_a_cursor_names_may_be_gone(alice: Maker) -> None:
    bulk(alice, 6)
    everything = walked(anonymous(), "/tasks/")
    page = anonymous().get("/tasks/?limit=2").json()
    Task.objects.filter(pk__in=ids(page)).delete()
    assert walked(anonymous(), page["next"]) == everything[2:]


# --- Every row exactly once ---


def crowd(alice: Maker, count: int) -> list[int]:
    """Tasks of one moment: every third private, every other done, every nullable column null in many of them."""
    rows = [
        Task(
            author=alice,
            content=f"Task {number}",
            created_at=NOON,
            done=number % 2 == 0,
            done_at=NOON if number % 2 == 0 else None,
            listed=number % 3 > 0,
            description=None if number % 5 else "Long",
            due_at=None if number % 7 else NOON,
        )
        for number in range(count)
    ]
    made = Task.objects.bulk_create(rows)
    project = Project.objects.create(author=alice, name="crowd")
    TaskProject.objects.bulk_create(
        TaskProject(task=task, project=project, created_at=task.created_at, listed=task.listed) for task in made
    )
    Task.objects.update(updated_at=NOON - timedelta(days=1))
    return [task.pk for task in made]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", MANY),
        ("ordering=created_at", FEW),
        ("user=alice", FEW),
        ("done=true", MANY),
        ("in_progress=false", FEW),
        ("start_date=2026-05-20", FEW),
        ("username=alice&end_date=2026-05-21", FEW),
        ("updated_since=2026-05-01", FEW),
        ("project={project}", FEW),
    ],
)
def test_every_row_of_one_moment_comes_once(query: str, count: int, alice: Maker) -> None:
    rows = crowd(alice, count)
    wanted = [pk for n, pk in enumerate(rows) if n % 3 and (n % 2 == 0 or "done" not in query)]
    ascending = "ordering=created_at" in query or "updated_since" in query
    path = f"/tasks/?limit=100&{query.format(project=Project.objects.get().pk)}"
    assert walked(anonymous(), path) == (wanted if ascending else wanted[::-1])


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", MANY),
        ("user=alice", FEW),
        ("done=true&search=Task", FEW),
        ("start_date=2026-05-20", FEW),
        ("updated_since=2026-05-01", FEW),
        ("project={project}", FEW),
    ],
)
def test_the_author_gets_the_private_rows_among_the_others_once(query: str, count: int, alice: Maker) -> None:
    rows = crowd(alice, count)
    wanted = [pk for n, pk in enumerate(rows) if n % 2 == 0 or "done" not in query]
    path = f"/tasks/?limit=97&{query.format(project=Project.objects.get().pk)}"
    assert walked(caller("alice"), path) == (wanted if "updated_since" in query else wanted[::-1])


@pytest.mark.parametrize("window", [10, 99])
@pytest.mark.parametrize("query", ["done=true&search=9", "user=alice&done=1&search=9"])
def test_a_window_that_ends_in_mid_list_loses_nothing(
    window: int, query: str, alice: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "WINDOW", window)
    rows = crowd(alice, 200)
    wanted = [pk for n, pk in enumerate(rows) if n % 2 == 0 and "9" in f"Task {n}"][::-1]
    client = caller("alice")
    for limit in (1, 3, 100):
        there = list(pages(client, f"/tasks/?{query}&limit={limit}"))
        assert [pk for page in there for pk in ids(page)] == wanted
        back = list(pages(client, there[-1]["previous"], "previous")) if there[-1]["previous"] else []
        assert [pk for page in [*back[::-1], there[-1]] for pk in ids(page)] == wanted


def test_a_window_that_rows_leave_while_it_is_read_loses_nothing(alice: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go between a page's queries: those that a window then reaches further for are looked at too."""
    monkeypatch.setattr(keyset, "WINDOW", 10)
    bulk(alice, 60)
    order = list(Task.objects.order_by("-created_at", "-id").values_list("pk", flat=True))
    Task.objects.filter(pk__in=order[::7]).update(content="found")
    doomed = [pk for number, pk in enumerate(order) if number % 7 and number % 2]
    selects = 0

    def deleting(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal selects
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "tasks_task" in sql and doomed:
            selects += 1
            with connection.cursor() as cursor:
                gone, doomed[:] = doomed[:4], doomed[4:]
                cursor.execute("DELETE FROM tasks_task WHERE id = ANY(%s)", [gone])
        return result

    with connection.execute_wrapper(deleting):
        found = walked(anonymous(), "/tasks/?search=found&limit=5")
    assert selects > 2
    assert found == order[::7]


Step = tuple[str, int]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    private=st.sets(st.integers(0, 39)),
    limit=st.integers(1, 9),
    window=st.integers(2, 50),
    query=st.sampled_from(
        [
            "",
            "ordering=created_at",
            "user=walker",
            "done=true",
            "done=true&user=walker",
            "search=x",
            "start_date=2026-05-01",
        ]
    ),
    own=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(["add", "delete", "nothing"]), st.integers(0, 39)), max_size=12),
)
def test_rows_that_are_there_throughout_come_exactly_once(
    moments: list[int], private: set[int], limit: int, window: int, query: str, own: bool, steps: list[Step]
) -> None:
    Maker.objects.filter(username="walker").delete()
    client = caller("walker")

    def made(number: int, moment: int) -> Task:
        done = number % 2 == 0
        when = NOON - timedelta(minutes=moment)
        return Task.objects.create(
            author=client.maker, content="x", created_at=when, done=done, done_at=when if done else None,
            listed=number not in private,
        )  # fmt: skip

    tasks = [made(number, moment) for number, moment in enumerate(moments)]
    seen = [
        task.pk
        for number, task in enumerate(tasks)
        if (own or task.listed) and ("done" not in query or number % 2 == 0)
    ]
    gone: set[int] = set()
    found: list[int] = []
    todo = iter(steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyset, "WINDOW", window)
        for page in pages(client if own else anonymous(), f"/tasks/?limit={limit}&{query}"):
            found += ids(page)
            act, which = next(todo, ("nothing", 0))
            if act == "delete":
                gone.add(tasks[which % len(tasks)].pk)
                Task.objects.filter(pk=tasks[which % len(tasks)].pk).delete()
            elif act == "add":
                made(which, which % 4)
    assert len(found) == len(set(found))
    assert [pk for pk in seen if pk not in gone and pk not in found] == []
    assert set(found) & {task.pk for task in tasks} <= set(seen)


def test_relisting_while_walking_shows_nothing_twice(alice: Maker) -> None:
    client = caller("alice")
    bulk(client.maker, 30)
    found: list[int] = []
    for number, page in enumerate(pages(client, "/tasks/?limit=4")):
        found += ids(page)
        Maker.objects.filter(pk=alice.pk).update(private=number % 2 == 0)
        relist([alice.pk], [])
    assert len(found) == len(set(found)) == 30
