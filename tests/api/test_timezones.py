"""``X-App-Timezone``, else the maker's own time zone, else UTC."""

import pytest
from django.utils import timezone

from tests.errors import assert_error
from tests.makers import anonymous, caller
from tests.tasks.logs import NOON, contents, log

pytestmark = pytest.mark.django_db

LATE = NOON.replace(hour=22)  # the next day in Madrid and in Tokyo


def test_the_header_decides() -> None:
    log(caller("alice").maker, "late", created_at=LATE)
    for zone, day in (("Asia/Tokyo", 21), ("Europe/Madrid", 21), ("UTC", 20), ("America/New_York", 20)):
        found = contents(anonymous().get(f"/tasks/?created_at=2026-05-{day}", HTTP_X_APP_TIMEZONE=zone))
        assert found == ["late"]


def test_the_makers_own_zone_decides_where_no_header_does() -> None:
    client = caller("alice", timezone="Asia/Tokyo")
    log(client.maker, "late", created_at=LATE)
    assert contents(client.get("/tasks/?created_at=2026-05-21")) == ["late"]
    assert contents(client.get("/tasks/?created_at=2026-05-20", HTTP_X_APP_TIMEZONE="UTC")) == ["late"]
    assert contents(anonymous().get("/tasks/?created_at=2026-05-20")) == ["late"]


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "utc ", "../../etc/passwd", "Europe", "+02:00", "a" * 5000, "localtime\x7f", "\xff"]
)
def test_a_zone_that_is_none_is_a_400(zone: str) -> None:
    assert_error(anonymous().get("/tasks/", HTTP_X_APP_TIMEZONE=zone), 400, "invalid_timezone")


def test_an_empty_header_is_none() -> None:
    assert anonymous().get("/tasks/", HTTP_X_APP_TIMEZONE="").status_code == 200


def test_one_requests_zone_is_not_the_nexts() -> None:
    for path in ("/tasks/", "/tasks/999999999/", "/tasks/?limit=x"):
        anonymous().get(path, HTTP_X_APP_TIMEZONE="Asia/Tokyo")
        assert timezone.get_current_timezone_name() == "UTC"


def test_moments_are_told_in_utc_whatever_the_zone() -> None:
    log(caller("alice").maker, done_at=NOON)
    task = anonymous().get("/tasks/", HTTP_X_APP_TIMEZONE="Asia/Tokyo").json()["results"][0]
    assert task["done_at"] == "2026-05-20T12:00:00.000000Z"
