"""The published sum of database connections, and what each kind of process tells PostgreSQL."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import checks
from django.db import connection

from makerlog import settings as file
from makerlog.api.connections import check_that_they_fit, published, sentence

NUMBERS = SimpleNamespace(WEB_CONCURRENCY=3, WEB_THREADS=8, OPS_THREADS=4, WORKER_CONNECTIONS=6)


def test_the_sum_counts_every_thread_and_fibre_and_what_each_process_has_beside_them() -> None:
    assert published(NUMBERS) == {"web": 54, "ops": 6, "worker": 6, "commands": 3}
    assert sentence(NUMBERS) == "69 at most (web 54, ops 6, worker 6, commands 3)"


def found() -> list[checks.CheckMessage]:
    return checks.run_checks(tags=[checks.Tags.database], databases=["default"])


def test_what_fits_is_no_news() -> None:
    assert found() == []


def test_what_does_not_fit_is_an_error_and_in_development_a_warning(settings: Any) -> None:
    settings.WEB_CONCURRENCY = 64
    settings.DEVELOPMENT = False
    assert [(each.id, each.is_serious()) for each in found()] == [("makerlog.E020", True)]
    assert re.fullmatch(
        r"Database connections: 1164 at most \(web 1152, .+\), but the database allows \d+\.", found()[0].msg
    )
    settings.DEVELOPMENT = True
    assert [(each.id, each.is_serious()) for each in found()] == [("makerlog.W020", False)]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_another_encoding_is_refused(encoding: str, django_db_blocker: Any) -> None:
    here = dict(connection.settings_dict)
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS of_another_encoding")
        cursor.execute(f"CREATE DATABASE of_another_encoding ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        connection.settings_dict["NAME"] = "of_another_encoding"
        try:
            [error] = found()
        finally:
            connection.settings_dict.update(here)
            cursor.execute("DROP DATABASE of_another_encoding")
    assert (error.id, error.msg.partition(":")[0]) == ("makerlog.E021", f"The database's encoding is {encoding}")


def test_a_pooler_is_not_asked(settings: Any) -> None:
    settings.WEB_CONCURRENCY = 64
    settings.DATABASE_POOLED = True
    assert found() == []


def test_a_database_that_is_away_does_not_keep_the_service_from_starting(settings: Any, caplog: Any) -> None:
    here = dict(connection.settings_dict)
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        assert check_that_they_fit(databases=["default"]) == []
    finally:
        connection.settings_dict.update(here)
    assert "could not be asked" in caplog.text


@pytest.mark.django_db
def test_a_session_is_held_to_the_time_outs_of_its_kind_of_process() -> None:
    with connection.cursor() as cursor:
        for name, value in file.TIMEOUTS["web"].items():
            cursor.execute("SELECT current_setting(%s)", [name])
            assert cursor.fetchone() == (value,)


def test_in_production_what_does_not_fit_does_not_start(tmp_path: Path) -> None:
    given = {"DATABASE_URL": file.DATABASE_URL, "SECRET_KEY": "x" * 50, "TOKEN_PEPPERS": "x" * 50, "PROCESS": "web"}
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "WEB_CONCURRENCY": "64", "WEB_THREADS": "64", **given}
    done = subprocess.run(
        [sys.executable, "-c", "import makerlog.asgi"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "(makerlog.E020) Database connections: 8332 at most" in done.stderr
    assert "Traceback" not in done.stderr


def options(tmp_path: Path, **variables: str) -> str:
    code = "from makerlog import settings; print(settings.DATABASES['default']['OPTIONS']['options'])"
    environment = {**os.environ, "DATA_DIR": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_command_is_never_cut(tmp_path: Path) -> None:
    assert options(tmp_path, PROCESS="command") == ""
    assert "-c statement_timeout=5s -c lock_timeout=2s" in options(tmp_path, PROCESS="web")


def test_a_pooler_gets_no_start_up_options(tmp_path: Path) -> None:
    assert options(tmp_path, PROCESS="web", DATABASE_POOLED="1") == ""


def test_the_lines_for_a_pooler_say_the_same() -> None:
    lines = [
        line for line in (file.BASE_DIR / "deploy" / "roles.sql").read_text().splitlines() if line.startswith("ALTER")
    ]
    assert lines == [
        f"ALTER ROLE makerlog_{process} SET {name} = '{value}';"
        for process in ("web", "ops", "worker")
        for name, value in {**file.PLANS[process], **file.TIMEOUTS[process]}.items()
    ]
