"""GET /tasks/"""

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from makerlog.accounts.models import Maker
from products.models import Product, Project
from tasks.models import Task
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON, bulk, contents, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Maker:
    return make_maker("alice")


@pytest.fixture
def bob() -> Maker:
    return make_maker("bob")


def listed(query: str = "", **headers: Any) -> list[str]:
    return contents(anonymous().get(f"/tasks/?{query}", **headers))


def test_everybody_reads_the_log_newest_first(alice: Maker, bob: Maker) -> None:
    for author, content in ((alice, "first"), (bob, "second"), (alice, "third")):
        log(author, content)
    assert listed() == ["third", "second", "first"]
    assert listed("ordering=-created_at") == ["third", "second", "first"]
    assert listed("ordering=created_at") == ["first", "second", "third"]


def test_a_task_says_all_that_clients_decode(alice: Maker) -> None:
    log(alice, "Wrote #tests", done=True, description="Many", external_id="x1")
    task = anonymous().get("/tasks/").json()["results"][0]
    project = Project.objects.get()
    assert task["user"]["username"] == "alice"
    assert task["project_set"] == [{"id": project.pk, "name": "tests", "private": False, "user": alice.pk}]
    plain = {name: task[name] for name in task if name not in ("user", "project_set")}
    assert plain == {
        "id": Task.objects.get().pk,
        "event": None,
        "done": True,
        "in_progress": False,
        "content": "Wrote #tests",
        "created_at": task["created_at"],
        "updated_at": task["updated_at"],
        "due_at": None,
        "done_at": task["done_at"],
        "description": "Many",
        "product_set": [],
        "praise": 0,
        "attachment": None,
        "comment_count": 0,
        "og_image": None,
        "video": None,
        "external_id": "x1",
    }
    assert task["created_at"][-8:][0] == "." or task["created_at"].endswith("Z")


@pytest.mark.parametrize("name", ["user", "username"])
def test_a_maker_is_named_by_id_or_by_username_in_any_case(name: str, alice: Maker, bob: Maker) -> None:
    log(alice, "hers")
    log(bob, "his")
    assert listed(f"{name}={alice.pk}") == ["hers"]
    assert listed(f"{name}=alice") == ["hers"]
    assert listed(f"{name}=ALICE") == ["hers"]


@pytest.mark.parametrize("value", ["nobody", "0", "999999999", "9" * 25, "٣", "-1", "' OR 1=1", "%F0%9F%8C%8D"])
def test_a_maker_nobody_knows_has_no_tasks(value: str, alice: Maker) -> None:
    log(alice)
    assert listed(f"user={value}") == []


def test_an_empty_filter_is_none(alice: Maker) -> None:
    log(alice, "hers")
    assert listed("user=&username=&project=&product=&done=&search=&start_date=&date_range=&ordering=") == ["hers"]


def test_a_project_lists_its_own_tasks(alice: Maker, bob: Maker) -> None:
    log(alice, "one #site")
    log(alice, "two #SITE #other")
    log(bob, "three #site")
    site = Project.objects.get(author=alice, name="site")
    assert listed(f"project={site.pk}") == ["two #SITE #other", "one #site"]
    assert listed(f"project={site.pk}&ordering=created_at") == ["one #site", "two #SITE #other"]
    assert listed("project=999999999") == []


@pytest.mark.parametrize("value", ["x", "0", "-1", "NaN", "Infinity", "1e99", "٣x"])
def test_a_project_is_named_by_a_number(value: str) -> None:
    assert_invalid(anonymous().get(f"/tasks/?project={value}"), "project")


@pytest.mark.parametrize("value", ["99999999999999999999"])
def test_a_project_beyond_any_number_has_no_tasks(value: str) -> None:
    assert listed(f"project={value}") == []


def test_a_product_lists_its_tasks_by_slug_or_id(alice: Maker) -> None:
    project = alice.projects.create(name="site")
    product = Product.objects.create(author=alice, name="Site", slug="site-one")
    product.projects.add(project)
    log(alice, "in it #site")
    log(alice, "beside it")
    assert listed("product=site-one") == ["in it #site"]
    assert listed(f"product={product.pk}") == ["in it #site"]
    assert listed("product=nothing") == []
    assert listed("product=99999999999999999999") == []


@pytest.mark.parametrize(
    ("word", "found"),
    [("true", ["did"]), ("True", ["did"]), ("1", ["did"]), ("false", ["will"]), ("False", ["will"]), ("0", ["will"])],
)
def test_done_is_understood_in_all_its_spellings(word: str, found: list[str], alice: Maker) -> None:
    log(alice, "did", done=True)
    log(alice, "will")
    assert listed(f"done={word}") == found


@pytest.mark.parametrize(
    ("word", "found"),
    [("true", ["at it"]), ("1", ["at it"]), ("True", ["at it"]), ("false", ["not"]), ("0", ["not"])],
)
def test_in_progress_is_understood_in_all_its_spellings(word: str, found: list[str], alice: Maker) -> None:
    log(alice, "at it", in_progress=True)
    log(alice, "not")
    assert listed(f"in_progress={word}") == found


@pytest.mark.parametrize("query", ["done=maybe", "in_progress=2", "date_range=never", "ordering=praise", "ordering=id"])
def test_a_word_that_means_nothing_is_a_400(query: str) -> None:
    assert_invalid(anonymous().get(f"/tasks/?{query}"), query.split("=")[0])


@pytest.mark.parametrize("name", ["created_at", "start_date", "end_date", "updated_since"])
@pytest.mark.parametrize("value", ["x", "%00", "2026-13-01", "2026-01-01T99:00", "1e999", "[]"])
def test_a_date_that_is_none_is_a_400(name: str, value: str) -> None:
    assert_invalid(anonymous().get(f"/tasks/?{name}={value}"), name)


@pytest.mark.parametrize("name", ["created_at", "start_date", "end_date", "updated_since"])
@pytest.mark.parametrize("value", ["0001-01-01T00:00:00%2B14:00", "0001-01-01", "9999-12-31", "9999-12-31T23:59-14:00"])
def test_a_date_at_the_end_of_time_is_a_date(name: str, value: str) -> None:
    assert anonymous().get(f"/tasks/?{name}={value}", HTTP_X_APP_TIMEZONE="Asia/Tokyo").status_code == 200


def test_created_at_means_the_day_that_the_moment_is_in(alice: Maker) -> None:
    for days in (0, 1, 2):
        log(alice, f"{days} days ago", created_at=NOON - timedelta(days=days))
    assert listed("created_at=2026-05-19") == ["1 days ago"]
    assert listed("created_at=2026-05-19T23:59:59Z") == ["1 days ago"]
    assert listed("created_at=2026-05-19T23:00:00Z", HTTP_X_APP_TIMEZONE="Europe/Madrid") == ["0 days ago"]


@pytest.mark.parametrize(
    "start",
    [
        "2026-05-20 9:30",
        "2026-05-20 09:30",
        "2026-05-20T09:30:00Z",
        "2026-05-20T11:30:00%2B02:00",
        "2026-05-20T11:30:00+02:00",  # a "+" that nobody encoded arrives as a space
        "2026-05-20T11:30:00+0200",
        "2026-05-20T09:30:00.000000Z",
    ],
)
def test_dates_are_understood_in_all_their_spellings(start: str, alice: Maker) -> None:
    log(alice, "before", created_at=NOON.replace(hour=9, minute=29))
    log(alice, "after", created_at=NOON.replace(hour=9, minute=30))
    assert listed(f"start_date={start}") == ["after"]
    assert listed(f"end_date={start}") == ["after", "before"]


def test_a_bare_date_is_in_the_zone_of_the_request(alice: Maker) -> None:
    log(alice, "late", created_at=NOON.replace(hour=22, minute=30))
    assert listed("start_date=2026-05-21 0:00", HTTP_X_APP_TIMEZONE="Europe/Madrid") == ["late"]
    assert listed("start_date=2026-05-21 0:00") == []


def test_a_midnight_that_the_clocks_skip_is_the_beginning_of_its_day(alice: Maker) -> None:
    """Cairo's clocks go from 0:00 to 1:00 on the last Friday of April: that day has tasks too."""
    log(alice, "that day", created_at=NOON.replace(month=4, day=24))
    cairo = {"HTTP_X_APP_TIMEZONE": "Africa/Cairo"}
    assert listed("created_at=2026-04-24", **cairo) == ["that day"]
    assert listed("start_date=2026-04-24 0:00&end_date=2026-04-24 23:59", **cairo) == ["that day"]


def test_an_hour_that_the_clocks_repeat_is_an_hour(alice: Maker) -> None:
    log(alice, "that night", created_at=NOON.replace(month=10, day=25, hour=1, minute=45))
    assert listed("start_date=2026-10-25 2:30", HTTP_X_APP_TIMEZONE="Europe/Madrid") == ["that night"]


def test_dates_go_by_done_at_and_by_created_at_where_not_done(alice: Maker) -> None:
    log(alice, "done long ago", done_at=NOON - timedelta(days=30), created_at=NOON)
    log(alice, "open", created_at=NOON)
    assert listed("start_date=2026-05-20") == ["open"]
    assert listed("end_date=2026-05-01") == ["done long ago"]
    assert listed("start_date=2026-04-01") == ["open", "done long ago"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("today", ["0"]),
        ("yesterday", ["1"]),
        ("week", ["0", "1", "6"]),
        ("month", ["0", "1", "6", "29"]),
        ("year", ["0", "1", "6", "29", "364"]),
    ],
)
def test_a_date_range_counts_from_today(word: str, found: list[str], alice: Maker) -> None:
    for days in (0, 1, 6, 29, 364, 365):
        log(alice, str(days), created_at=NOON - timedelta(days=days))
    with time_machine.travel(NOON, tick=False):
        assert listed(f"date_range={word}") == found


def test_search_looks_for_words_in_any_case_and_takes_signs_as_they_are(alice: Maker) -> None:
    for content in ("Fixed 100% of it", "fixed_one", "a\\b", "Broke it"):
        log(alice, content)
    assert listed("search=FIXED") == ["fixed_one", "Fixed 100% of it"]
    assert listed("search=100%25") == ["Fixed 100% of it"]
    assert listed("search=_") == ["fixed_one"]
    assert listed("search=a\\b") == ["a\\b"]
    assert listed("search=%25%25") == []


@pytest.mark.parametrize("query", ["search=" + "a" * 101, "search=a%00b", "user=" + "a" * 151, "product=" + "a" * 121])
def test_text_too_long_or_with_a_nul_is_a_400(query: str) -> None:
    assert_invalid(anonymous().get(f"/tasks/?{query}"), query.split("=")[0])


def test_filters_are_combined(alice: Maker, bob: Maker) -> None:
    for author in (alice, bob):
        for done in (True, False):
            for content in ("fix #site", "write #site", "rest"):
                log(author, content, done=done, created_at=NOON)
    site = Project.objects.get(author=alice)
    assert listed("user=alice&done=true&search=fix") == ["fix #site"]
    assert listed(f"project={site.pk}&done=false") == ["write #site", "fix #site"]
    assert listed(f"project={site.pk}&user=bob") == []
    assert listed(f"project={site.pk}&username=alice&search=write&done=0") == ["write #site"]
    assert listed("user=alice&username=bob") == []
    dates = "start_date=2026-05-20&end_date=2026-05-21"
    assert listed(f"user=bob&search=rest&done=false&in_progress=false&{dates}") == ["rest"]


def test_both_dates_with_a_credential_list_ones_own(alice: Maker, bob: Maker) -> None:
    log(alice, "hers", created_at=NOON)
    log(bob, "his", created_at=NOON)
    day = "/tasks/?start_date=2026-05-20&end_date=2026-05-21"
    assert contents(caller("alice").get(day)) == ["hers"]
    assert contents(caller("alice").get(f"{day}&user=bob")) == ["his"]
    assert contents(caller("alice").get(f"{day}&username=bob")) == ["his"]
    assert contents(caller("alice").get("/tasks/?start_date=2026-05-20")) == ["his", "hers"]
    assert contents(anonymous().get(day)) == ["his", "hers"]


@pytest.mark.parametrize(
    "query", ["format=json", "token=abc", "foo=bar", "id=1", "author=9", "hidden=true", "__class__=x"]
)
def test_what_is_no_parameter_is_passed_over(query: str, alice: Maker) -> None:
    log(alice, "hers")
    assert listed(query) == ["hers"]


def test_a_token_in_the_address_is_no_credential() -> None:
    client = caller("alice", private=True)
    log(client.maker, "private")
    assert listed(f"token={client.token}") == []


@pytest.mark.parametrize(
    ("limit", "count"), [("1", 1), ("20", 20), ("100", 100), ("101", 100), ("200", 100), ("9" * 30, 100)]
)
def test_a_limit_above_the_ceiling_is_the_ceiling(limit: str, count: int, alice: Maker) -> None:
    bulk(alice, 120)
    assert len(listed(f"limit={limit}")) == count


def test_a_page_has_twenty_rows_where_nothing_is_said(alice: Maker) -> None:
    bulk(alice, 21)
    assert len(listed()) == 20


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", "٣", "²", "1e2", "%00", " 1", "0x10", "null"])
def test_a_limit_that_is_no_number_is_a_400(limit: str) -> None:
    assert_error(anonymous().get(f"/tasks/?limit={limit}"), 400, "bad_limit")


@pytest.mark.parametrize("query", ["offset=0", "page=1", "offset=", "page=", "offset=0&page=1"])
def test_the_first_page_may_be_asked_for_by_number(query: str, alice: Maker) -> None:
    log(alice, "hers")
    assert listed(query) == ["hers"]


@pytest.mark.parametrize(
    "query", ["offset=20", "page=2", "page=0", "offset=-1", "page=last", "offset=%00", "offset=00"]
)
def test_any_other_page_is_reached_by_next_alone(query: str) -> None:
    body = assert_error(anonymous().get(f"/tasks/?{query}"), 400, "use_next")
    assert "`next`" in body["detail"]


def test_what_changed_is_listed_oldest_change_first(alice: Maker) -> None:
    tasks = [log(alice, content) for content in ("a", "b", "c")]
    long_ago = NOON - timedelta(days=1)
    for minutes, task in enumerate((tasks[1], tasks[2], tasks[0])):
        Task.objects.filter(pk=task.pk).update(updated_at=long_ago + timedelta(minutes=minutes))
    assert listed("updated_since=2026-05-01") == ["b", "c", "a"]
    assert listed("updated_since=2026-05-19T12:01:00Z") == ["c", "a"]
    assert listed("updated_since=2026-05-01&ordering=-created_at") == ["b", "c", "a"]


def test_what_has_just_changed_waits_behind_the_commit_horizon(alice: Maker) -> None:
    log(alice, "now")
    assert listed("updated_since=2026-05-01") == []


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_is_one_query_however_many_rows(rows: int, alice: Maker, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        log(alice, f"{number} #site")
    with django_assert_num_queries(1):
        assert len(listed()) == rows


@pytest.mark.parametrize("rows", [1, 3])
def test_a_credential_costs_one_more_query(rows: int, django_assert_num_queries: Any) -> None:
    client = caller("alice")
    client.get("/tasks/")  # notes the use of the token
    for number in range(rows):
        log(client.maker, f"{number} #site")
    with django_assert_num_queries(2):
        assert len(contents(client.get("/tasks/"))) == rows


def test_nobody_can_write_the_list_past_its_ceiling(alice: Maker) -> None:
    """Text of which JSON writes six bytes a letter, in every field that a task shows: a shorter page, not a 500."""
    heavy = "\x01" * 2000
    product = Product.objects.create(author=alice, name="Site", slug="site", description=heavy)
    product.projects.add(alice.projects.create(name="p"))
    alice.description = heavy
    alice.save()
    tasks = [log(alice, f"{number} #p", description="\x01" * 5000) for number in range(100)]
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(content="\x01" * 500)
    first = anonymous().get("/tasks/?limit=100")
    assert first.status_code == 200, first.content[:200]
    seen, page = [], first.json()
    while True:
        seen += [task["id"] for task in page["results"]]
        if page["next"] is None:
            break
        page = anonymous().get(page["next"]).json()
    assert seen == [task.pk for task in reversed(tasks)]
    assert 0 < len(first.json()["results"]) < 100


def test_a_moment_that_repeats_itself_is_refused_in_no_time() -> None:
    """It took seconds: each ``T00:00`` was tried against all that follows."""
    started = time.process_time()
    assert_invalid(anonymous().get("/tasks/?start_date=" + "T00:00" * 20_000), "start_date")
    assert time.process_time() - started < 1
