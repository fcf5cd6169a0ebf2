"""GET /health/ready/"""

import time
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from makerlog.api import health
from tests.makers import anonymous

pytestmark = pytest.mark.django_db


def test_all_parts_answer() -> None:
    response = anonymous().get("/health/ready/")
    assert (response.status_code, response.json()) == (200, {"ready": True, "database": "ok", "redis": "ok"})
    assert response["Cache-Control"] == "no-store"


def test_a_redis_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(health, "redis_client", health.client(f"unix://{tmp_path}/nobody.sock"))
    begun = time.monotonic()
    response = anonymous().get("/health/ready/")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "ok", "redis": "does not answer"}
    assert response["Retry-After"] == "2"
    assert time.monotonic() - begun < 1


def test_a_database_that_is_away_is_named() -> None:
    def away(execute: object, sql: str, params: object, many: bool, context: object) -> None:
        raise OperationalError("server closed the connection")

    with connection.execute_wrapper(away):
        response = anonymous().get("/health/ready/")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "does not answer", "redis": "ok"}


def test_it_tells_the_same_to_who_sends_a_bad_credential() -> None:
    assert anonymous().get("/health/ready/", HTTP_AUTHORIZATION="Token nonsense").status_code == 200
