"""Tokens and cursors for the benchmarks, printed as JSON: `python -m tests.benchmarks.prepare DEEP`.

A process of its own, since it speaks to another database and with other secrets than the tests' own.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Iterable
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

import django

PAGE = 20
PLACES = 2_000
AROUND = 200  # places about the deep page

# As rest_framework.authtoken's own migration makes it.
TOKENS = """
CREATE TABLE IF NOT EXISTS authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamptz NOT NULL,
    user_id bigint NOT NULL UNIQUE REFERENCES accounts_maker DEFERRABLE INITIALLY DEFERRED
)
"""


def facts(deep: int, callers: int) -> dict[str, Any]:
    from tasks.models import Task

    listed = Task.objects.filter(listed=True).order_by("-created_at", "-id")
    chosen = listed.filter(pk__in=some_tasks(PLACES))
    start = max(0, min((deep - 1) * PAGE, listed.count() - PAGE) - AROUND)
    ours, peers = tokens(callers)
    return {
        "tokens": ours,
        "peer_tokens": peers,
        "tasks": [task.pk for task in chosen],
        "places": [*map(place, chosen)],
        "deep": [*map(place, listed[start : start + AROUND])],
    }


def some_tasks(count: int) -> Iterable[int]:
    """Ids of listed tasks all over the log; never of the last page."""
    from tasks.models import Task

    ids = Task.objects.filter(listed=True).order_by("created_at", "id").values_list("pk", flat=True)[PAGE + 1 :]
    step = max(1, len(ids) // count)
    return list(ids[::step])[:count]


def place(task: Any) -> tuple[str, int, str, str]:
    """See data.Place. Stock DRF's cursor is the moment, unsigned."""
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory

    from makerlog.api.pagination import Cursor

    request = Request(APIRequestFactory().get("/tasks/"))
    ours = Cursor(request, ("-created_at", "-id")).write((task.created_at, task.pk), backwards=False)
    stock = base64.b64encode(urlencode({"p": str(task.created_at)}).encode()).decode()
    moment = task.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return moment, task.pk, ours, stock


def tokens(count: int) -> tuple[list[str], list[str]]:
    """Of makers with nothing private, who therefore read what everybody reads. The peers' are made once."""
    from django.db import connection

    from makerlog.accounts.actions import create_token
    from makerlog.accounts.models import AccessToken, Maker

    plain = (
        Maker.objects.filter(is_active=True, private=False, is_moderator=False, memberships=None)
        .exclude(projects__private=True)
        .exclude(tasks__listed=False)
        .order_by("id")[:count]
    )
    AccessToken.objects.filter(name="bench").delete()
    ours, peers = [], []
    with connection.cursor() as cursor:
        cursor.execute(TOKENS)
        for maker in plain:
            ours.append(create_token(maker=maker, name="bench")[1])
            cursor.execute(
                "INSERT INTO authtoken_token VALUES (%s, now(), %s)"
                " ON CONFLICT (user_id) DO UPDATE SET created = now() RETURNING key",
                [secrets.token_hex(20), maker.pk],
            )
            peers.append(cursor.fetchone()[0])
    return ours, peers


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "makerlog.settings"
    django.setup()
    from tests.benchmarks.size import CALLERS

    sys.stdout.write(json.dumps(facts(int(sys.argv[1]), CALLERS)))
