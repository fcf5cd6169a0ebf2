"""GET PATCH /me/, GET PATCH /me/privileged/, POST /me/set_timezone/"""

import io
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from makerlog.accounts.models import Maker
from makerlog.accounts.serializers import FIELDS
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller

pytestmark = pytest.mark.django_db


def picture(colour: str = "red") -> SimpleUploadedFile:
    buffer = io.BytesIO()
    Image.new("RGB", (600, 300), colour).save(buffer, "PNG")
    return SimpleUploadedFile("me.png", buffer.getvalue(), "image/png")


def stored() -> list[str]:
    return sorted(path.name for path in Path(django_settings.MEDIA_ROOT).rglob("*.*"))


def test_oneself_has_all_of_a_user_and_nothing_else() -> None:
    body = caller(dark_mode=True).get("/me/").json()
    assert set(body) == {*FIELDS, "media_bytes", "media_quota"}
    assert (body["username"], body["dark_mode"]) == ("alice", True)
    assert body["avatar"].endswith("/static/accounts/avatar.png")
    assert [name for name, value in body.items() if value is None] == ["og_image", "streak_end_date"]


def test_others_read_the_defaults_of_ones_settings() -> None:
    alice = caller(dark_mode=True, digest=False)
    body = caller("bob").get("/users/alice/").json()
    assert (body["dark_mode"], body["digest"]) == (False, True)
    assert alice.get("/me/").json()["digest"] is False


@pytest.mark.parametrize("path", ["/me/", "/me/privileged/", "/me/following/"])
def test_nobody_is_nobody(path: str) -> None:
    assert_error(anonymous().get(path), 401, "not_authenticated")


@pytest.mark.parametrize("path", ["/me/", "/me/privileged/"])
def test_a_token_that_may_only_read_changes_nothing(path: str) -> None:
    alice = caller(scopes=["user:read"])
    assert alice.get(path).status_code == 200
    assert_error(alice.patch(path, {"status": "hi"}), 403, "missing_scope")


def test_a_profile_is_changed() -> None:
    alice = caller()
    sent = {"first_name": "Alice", "status": "making", "website": "https://alice.example", "dark_mode": True}
    response = alice.patch("/me/", sent)
    assert response.status_code == 200
    assert {name: response.json()[name] for name in sent} == sent
    assert {name: alice.get("/me/").json()[name] for name in sent} == sent


def test_only_what_is_sent_is_written() -> None:
    alice = caller()
    alice.get("/me/")
    Maker.objects.update(follower_count=7, status="kept")
    assert alice.patch("/me/", {"first_name": "A"}).json()["follower_count"] == 7
    assert Maker.objects.get().status == "kept"


MIGHTY = {
    "is_staff": True, "is_moderator": True, "is_superuser": True, "is_active": False, "verified": True, "gold": True,
    "patron": True, "donor": True, "tester": True, "is_live": True, "follower_count": 99, "streak": 99,
    "run_length": 99, "username": "root", "id": 1, "pk": 1, "password": "x", "maker_score": 99,
    "date_joined": "2000-01-01T00:00:00Z",
    "awaiting_activation": True, "last_login": None, "groups": [1], "user_permissions": [1], "needs_setup": False,
}  # fmt: skip


@pytest.mark.parametrize("path", ["/me/", "/me/privileged/", "/users/alice/"])
def test_nobody_makes_themselves_mighty(path: str) -> None:
    alice = caller()
    before = Maker.objects.filter(pk=alice.maker.pk).values().get()
    assert alice.patch(path, MIGHTY).status_code == 200
    assert Maker.objects.filter(pk=alice.maker.pk).values().get() == before


def test_the_address_is_not_changed_where_it_is_not_shown() -> None:
    alice = caller()
    assert "email" not in alice.patch("/me/", {"email": "new@example.com"}).json()
    assert Maker.objects.get().email == "alice@example.com"


@pytest.mark.parametrize("nothing", [None, "", "null", "undefined"])
def test_text_sent_as_nothing_is_empty(nothing: Any) -> None:
    alice = caller(status="old", website="https://old.example", description="old")
    body = alice.patch("/me/", {"status": nothing, "website": nothing, "description": nothing}).json()
    assert (body["status"], body["website"], body["description"]) == ("", "", "")


@pytest.mark.parametrize("nothing", [None, "", "null", "undefined"])
def test_a_zone_or_a_switch_sent_as_nothing_stays(nothing: Any) -> None:
    alice = caller(timezone="Europe/Madrid", dark_mode=True)
    body = alice.patch("/me/", {"timezone": nothing, "dark_mode": nothing}).json()
    assert (body["timezone"], body["dark_mode"]) == ("Europe/Madrid", True)


def test_the_words_of_a_form_are_understood() -> None:
    alice = caller(digest=True)
    form = {"dark_mode": "true", "digest": "false", "status": "null", "avatar": "undefined", "first_name": "A"}
    body = alice.patch("/me/", form, format="multipart").json()
    assert (body["dark_mode"], body["digest"], body["status"], body["first_name"]) == (True, False, "", "A")


def test_a_form_that_leaves_switches_out_leaves_them_as_they_are() -> None:
    alice = caller(dark_mode=True, digest=True)
    body = alice.patch("/me/", {"status": "hi"}, format="multipart").json()
    assert (body["dark_mode"], body["digest"]) == (True, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "x" * 141), ("description", "x" * 2001), ("first_name", "x" * 151),
        ("website", "javascript:alert(1)"), ("timezone", "Mars/Olympus"), ("dark_mode", "perhaps"),
        ("status", {"a": 1}), ("status", "a\x00b"),
        ("avatar", "https://example.com/me.png"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_400_of_its_field(field: str, value: Any) -> None:
    assert_invalid(caller().patch("/me/", {field: value}), field)


@pytest.mark.parametrize("body", [[], [{"status": "hi"}], "text", 5])
def test_a_body_that_is_no_object_is_a_400(body: Any) -> None:
    assert_invalid(caller().patch("/me/", body), "non_field_errors")


def test_a_picture_is_written_anew_and_scaled() -> None:
    alice = caller()
    body = alice.patch("/me/", {"avatar": picture()}, format="multipart").json()
    name = body["avatar"].rpartition("/")[2]
    assert body["avatar"].startswith(f"{django_settings.PUBLIC_URL}/media/avatars/")
    assert stored() == [name]
    with Image.open(Path(django_settings.MEDIA_ROOT) / "avatars" / name) as image:
        assert image.size == (512, 256)


@pytest.mark.parametrize("pictures", [{}, {"avatar": "red", "header": "blue"}])
def test_a_whole_maker_may_be_sent_back(pictures: dict[str, str]) -> None:
    """Old apps PATCH what GET answered, pictures by their address included."""
    alice = caller()
    alice.patch("/me/", {name: picture(colour) for name, colour in pictures.items()}, format="multipart")
    before = alice.get("/me/").json()
    after = alice.patch("/me/", {**before, "status": "Back"}, format="json")
    assert (after.status_code, after.json()) == (200, {**before, "status": "Back"})


def test_a_picture_that_is_replaced_is_deleted_on_commit(committed: Any) -> None:
    alice = caller()
    alice.patch("/me/", {"avatar": picture()}, format="multipart")
    with committed():
        body = alice.patch("/me/", {"avatar": picture("blue")}, format="multipart").json()
        assert len(stored()) == 2
    assert stored() == [body["avatar"].rpartition("/")[2]]


def test_a_picture_sent_as_nothing_is_taken_away(committed: Any) -> None:
    alice = caller()
    alice.patch("/me/", {"avatar": picture()}, format="multipart")
    with committed():
        body = alice.patch("/me/", {"avatar": None}).json()
    assert body["avatar"].endswith("/static/accounts/avatar.png")
    assert stored() == []


def test_a_picture_stays_where_something_else_is_changed(committed: Any) -> None:
    alice = caller()
    alice.patch("/me/", {"avatar": picture()}, format="multipart")
    with committed():
        alice.patch("/me/", {"status": "hi"})
    assert len(stored()) == 1


def test_what_is_no_picture_is_refused() -> None:
    html = SimpleUploadedFile("me.png", b"<script>alert(1)</script>", "image/png")
    assert_invalid(caller().patch("/me/", {"avatar": html}, format="multipart"), "avatar")
    assert stored() == []


def logged(author: Caller) -> int:
    return int(author.post("/tasks/", {"content": "mine #project"}).json()["id"])


def listed(reader: Caller) -> list[int]:
    return [task["id"] for task in reader.get("/tasks/").json()["results"]]


@pytest.mark.parametrize("path", ["/me/", "/users/alice/"])
def test_going_private_takes_ones_tasks_off_the_lists_at_once_and_back(path: str) -> None:
    alice, bob = caller(), caller("bob")
    mine, others = logged(alice), logged(bob)
    assert alice.patch(path, {"private": True}).json()["private"] is True
    assert (listed(bob), listed(anonymous()), listed(alice)) == ([others], [others], [others, mine])
    assert_error(bob.get(f"/tasks/{mine}/"), 404, "not_found")
    alice.patch(path, {"private": "false"}, format="multipart")
    assert listed(bob) == [others, mine]


def test_the_privileged_form_has_the_address() -> None:
    body = caller().get("/me/privileged/").json()
    assert set(body) == {*FIELDS, "media_bytes", "media_quota", "email", "pending_email", "needs_setup"}
    assert (body["email"], body["needs_setup"]) == ("alice@example.com", True)


def test_who_has_said_something_of_themselves_is_set_up() -> None:
    alice = caller()
    assert alice.patch("/me/privileged/", {"status": "making"}).json()["needs_setup"] is False


def test_a_header_is_taken_in_a_form() -> None:
    body = caller().patch("/me/privileged/", {"header": picture(), "status": "hi"}, format="multipart").json()
    assert "/media/headers/" in body["header"]
    assert body["status"] == "hi"


def test_the_same_address_again_is_no_news(committed: Any, mailoutbox: Any) -> None:
    with committed():
        assert caller().patch("/me/privileged/", {"email": "alice@example.com"}).status_code == 200
    assert mailoutbox == []


@pytest.mark.parametrize(
    "email",
    ["no address", "a@b", "a@b.com\nBcc: c@d.com", "x" * 250 + "@b.com", '"a b"@b.com', "a@[127.0.0.1]", "a@localhost"],
)
def test_what_is_no_address_is_a_400(email: str) -> None:
    assert_invalid(caller().patch("/me/privileged/", {"email": email}), "email")


@pytest.mark.parametrize("nothing", [None, "", "null"])
def test_an_address_cannot_be_taken_away(nothing: Any) -> None:
    assert caller().patch("/me/privileged/", {"email": nothing}).json()["email"] == "alice@example.com"


def test_the_zone_is_set() -> None:
    alice = caller()
    body = alice.post("/me/set_timezone", {"timezone": "Asia/Tokyo"}).json()
    assert (body["success"], body["timezone"]) == (True, "Asia/Tokyo")
    assert alice.get("/me/").json()["timezone"] == "Asia/Tokyo"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", None, "../../etc/passwd"])
def test_a_zone_there_is_not_is_a_400(name: Any) -> None:
    assert_invalid(caller().post("/me/set_timezone/", {"timezone": name}), "timezone")


def test_setting_the_zone_needs_a_token() -> None:
    assert_error(anonymous().post("/me/set_timezone/", {"timezone": "UTC"}), 401, "not_authenticated")


def test_an_image_is_charged_beside_the_write() -> None:
    alice = caller("alice")
    response = alice.patch("/me/", {"avatar": picture()}, format="multipart")
    assert response.status_code == 200
    assert '"image";r=59' in response["RateLimit"]
    assert '"image"' not in alice.patch("/me/", {"status": "x"})["RateLimit"]
