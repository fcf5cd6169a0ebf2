"""Those that `make bench` measures against say what we say."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from makerlog.accounts.models import Maker
from tasks.models import DayCount, Task, TaskProject
from tests.benchmarks import servers
from tests.benchmarks.answers import cursor_of, posted, rows_of, same
from tests.benchmarks.conftest import Stands
from tests.benchmarks.prepare import TOKENS
from tests.makers import anonymous, caller, make_maker
from tests.moderation.workers import database_url

PAGES = 3
TASK = {"content": "Say the same #twins #Twice", "done": True}


@pytest.fixture
def peers(transactional_db: None) -> Iterator[Stands]:
    variables = {**os.environ, "DATABASE_URL": database_url(), "REDIS_URL": settings.REDIS_URL}
    variables |= {name: getattr(settings, name) for name in ("SECRET_KEY", "TOKEN_PEPPERS", "PUBLIC_URL")}
    with connection.cursor() as cursor:
        cursor.execute(TOKENS)
    started = {name: servers.ALL[name](variables) for name in ("stock", "fast", "limit")}
    try:
        call_command("demo", makers=30, products=6, tasks=300, verbosity=0)
        for server in started.values():
            server.wait()
        yield started
    finally:
        for server in started.values():
            server.stop()
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE authtoken_token")


def give_token(maker: Maker) -> str:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO authtoken_token VALUES (%s, now(), %s)", [maker.username, maker.pk])
    return maker.username


def pages(ask: Any) -> Iterator[Any]:
    """The first few, following ``next``."""
    path = "/tasks/"
    for _ in range(PAGES):
        status, page = ask(path)
        yield rows_of((status, page))
        path = f"/tasks/?cursor={cursor_of(page['next'])}"


def facts(maker: Maker) -> Any:
    """What a post leaves behind, but for whose it is and when it was."""
    tasks = Task.objects.filter(author=maker).values_list("content", "done", "listed", "in_progress", "description")
    filed = TaskProject.objects.filter(task__author=maker).values_list("project__name", "listed")
    days = DayCount.objects.filter(author=maker).values_list("day", "done")
    rhythm = Maker.objects.filter(pk=maker.pk).values_list("run_length", "last_day", "week_counts")
    return [list(each) for each in (tasks, filed.order_by("project__name"), days, rhythm)]


def test_the_peers_answer_and_write_as_we_do(peers: Stands) -> None:
    alice, reader = caller("alice"), anonymous()
    token = give_token(alice.maker)
    ours = list(pages(lambda path: ((answer := alice.get(path)).status_code, answer.json())))
    assert all(any(task[kind] for rows, _ in ours for task in rows) for kind in ("project_set", "product_set"))
    for name, server in peers.items():
        theirs = list(pages(lambda path, server=server: server.ask("GET", path, token)))
        assert same(ours, theirs), name

    stock = peers["stock"]
    for task in ours[0][0]:
        path = f"/tasks/{task['id']}/"
        assert same(reader.get(path).json(), stock.ask("GET", path)[1])

    bob = make_maker("bob")
    token = give_token(bob)
    for _ in range(2):
        mine = alice.post("/tasks/", TASK)
        theirs = stock.ask("POST", "/tasks/", token, TASK)
        assert same(posted((mine.status_code, mine.json())), posted(theirs))
    assert facts(alice.maker) == facts(bob)
