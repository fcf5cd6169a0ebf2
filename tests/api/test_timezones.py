"""``X-App-Timezone``, else the maker's own time zone, else UTC."""

import pytest
from django.utils import timezone

from makerlog.api.timezones import zone as zone_called
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


@pytest.mark.parametrize("zone", ["Asia/Tokyo ", " Asia/Tokyo", "\tAsia/Tokyo\t"])
def test_space_around_a_zone_is_no_part_of_it(zone: str) -> None:
    assert anonymous().get("/tasks/", HTTP_X_APP_TIMEZONE=zone).status_code == 200


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


@pytest.mark.parametrize("name", ["US/Pacific-New", "Mars/Base", "posixrules", "Asia/Nowhere"])
def test_a_stored_zone_that_is_known_no_longer_counts_as_utc_and_is_logged_once(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    zone_called.cache_clear()
    client = caller("alice", timezone=name)
    log(client.maker, "late", created_at=LATE, done=True)
    for path in ("/tasks/", "/tasks/?created_at=2026-05-20", "/users/", "/users/alice/", "/me/", "/tasks/me/"):
        for reader in (client, anonymous()):
            assert reader.get(path).status_code in (200, 401), path
    assert contents(client.get("/tasks/?created_at=2026-05-20")) == ["late"]
    assert client.post("/tasks/", {"content": "x", "done": True}).status_code == 201
    assert [record.name for record in caplog.records].count("makerlog.timezones") == 1


@pytest.mark.parametrize(
    "name", ["Asia/Calcutta", "US/Pacific", "Europe/Kyiv", "Europe/Kiev", "UTC", "Etc/GMT+5", "EST"]
)
def test_zones_with_old_names_are_known_on_every_machine(name: str) -> None:
    assert caller("alice").post("/me/set_timezone", {"timezone": name}).status_code == 200
    assert zone_called(name).key == name


@pytest.mark.parametrize(
    "name", ["posixrules", "Factory", "localtime", "right/UTC", "posix/UTC", "US/Pacific-New", "utc"]
)
def test_what_is_no_zone_of_makers_is_refused(name: str) -> None:
    assert caller("alice").post("/me/set_timezone", {"timezone": name}).status_code == 400
    assert_error(anonymous().get("/tasks/", HTTP_X_APP_TIMEZONE=name), 400, "invalid_timezone")


@pytest.mark.parametrize("sent", ["", "undefined", "null", "Etc/Unknown"])
def test_a_header_that_says_nothing_counts_as_not_sent(sent: str) -> None:
    client = caller("alice", timezone="Asia/Tokyo")
    log(client.maker, "late", created_at=LATE)
    assert contents(client.get("/tasks/?created_at=2026-05-21", HTTP_X_APP_TIMEZONE=sent)) == ["late"]
