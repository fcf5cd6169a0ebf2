"""The service on a real pgbouncer in transaction mode: DATABASE_POOLED=1 and the roles of deploy/roles.sql."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2
import pytest

from deploy.embedded import wait_until
from makerlog.env import embedded_database_url
from tests.debian import needs
from tests.deploy.hosts import App, Data, ask, data
from tests.deploy.pgbouncer import POOL, make_roles, pooled, url

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'makerlog_web'"


@dataclass
class Pooled:
    data: Data
    app: App
    port: int
    token: str

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> int:
        return ask(
            "127.0.0.1", self.app.port, path, method, body, Authorization=f"Token {self.token}", **headers
        ).status


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooled]:
    needs("pgbouncer")
    folder = tmp_path_factory.mktemp("pgbouncer")
    with data() as shared:
        make_roles(shared)
        token = shared.token()
        with pooled(shared, folder) as port:
            app = App(shared, DATABASE_URL=url(port), DATABASE_POOLED="1")
            try:
                app.wait()
                yield Pooled(shared, app, port, token)
            finally:
                app.stop()


def test_reads_writes_and_the_admin_work(service: Pooled) -> None:
    written = ask(
        "127.0.0.1", service.app.port, "/tasks/", "POST", {"content": "Pooled"}, Authorization=f"Token {service.token}"
    )
    assert written.status == 201
    assert service.ask(f"/tasks/{written.json['id']}/") == 200
    assert service.ask("/tasks/?limit=100") == service.ask("/tasks/?search=ship") == 200
    assert service.ask("/admin/login/") == service.ask("/health/ready/") == 200


def test_a_ban_arrives_within_a_second(service: Pooled) -> None:
    service.data.manage("ban", "93.184.216.50", "--for", "1h")
    since = time.monotonic()

    def refused() -> bool:
        return service.app.ask("/tasks/?limit=1", X_Forwarded_For="93.184.216.50").status == 403

    assert wait_until(refused, seconds=1)
    assert time.monotonic() - since < 1.5


def test_many_callers_share_few_sessions_and_none_fails(service: Pooled) -> None:
    statuses: list[int] = []
    words = "ant bee cat dog eel fox gnu hen ibis jay koi lynx".split()  # alike they would be spam

    def call(number: int) -> None:
        for turn in range(5):
            statuses.append(service.ask("/tasks/?limit=20"))
            statuses.append(service.ask("/tasks/", "POST", {"content": f"{words[number]} {words[turn]}"}))

    threads = [threading.Thread(target=call, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    with contextlib.closing(psycopg2.connect(embedded_database_url(service.data.folder))) as connection:
        connection.autocommit = True
        most = 0
        while any(thread.is_alive() for thread in threads):
            with connection.cursor() as cursor:
                cursor.execute(SESSIONS)
                most = max(most, cursor.fetchone()[0])
            time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 201}
    assert 0 < most <= POOL


def test_each_role_has_the_plans_and_time_outs_of_its_kind_of_process(service: Pooled) -> None:
    for kind, timeout, scans in (("web", "5s", "off"), ("ops", "15s", "off"), ("worker", "5min", "on")):
        with contextlib.closing(psycopg2.connect(url(service.port, kind))) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('enable_seqscan')")
            assert cursor.fetchone() == (timeout, scans)


def test_a_query_that_takes_too_long_ends_as_without_a_pooler(service: Pooled) -> None:
    with contextlib.closing(psycopg2.connect(url(service.port))) as connection, connection.cursor() as cursor:
        began = time.monotonic()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - began < 10
    assert service.ask("/tasks/?limit=1") == 200
