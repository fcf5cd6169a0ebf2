"""/products/ and /products/{slug}/"""

import io
import itertools
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import time_machine
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import get_resolver
from PIL import Image

from makerlog.accounts.names import ROUTE_WORDS
from makerlog.accounts.slugs import candidates
from products.models import MAX_PROJECTS, MAX_TAGS, MAX_TEAM, Invitation, Product
from tasks.actions import log_task
from tasks.models import Task
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker
from tests.products.products import make_product, make_project

pytestmark = pytest.mark.django_db

WIRE = {
    "id", "name", "slug", "user", "team", "product_hunt", "twitter", "website", "projects", "launched", "launched_at",
    "icon", "description", "accent", "tags", "private", "created_at", "updated_at",
}  # fmt: skip


def picture(side: int = 600) -> SimpleUploadedFile:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "green").save(buffer, "PNG")
    return SimpleUploadedFile("me.png", buffer.getvalue(), "image/png")


# --- Works ---


def invited() -> list[int]:
    return list(Invitation.objects.order_by("maker").values_list("maker", flat=True))


def test_a_product_is_made_and_read_back() -> None:
    alice, bob = caller("alice"), make_maker("bob")
    project = make_project(alice.maker)
    made = alice.post(
        "/products/",
        {"name": "My App", "team": [bob.pk, alice.maker.pk], "projects": [project.pk], "website": "example.com",
         "tags": ["#Web", "web", " "], "accent": None, "description": "null"},
    )  # fmt: skip
    body = made.json()
    assert (made.status_code, set(body)) == (201, WIRE)
    assert (body["slug"], body["user"], body["team"]) == ("my-app", alice.maker.pk, [])
    assert invited() == [bob.pk]
    assert body["projects"] == [{"id": project.pk, "name": "makerlog", "private": False, "user": alice.maker.pk}]
    assert (body["website"], body["tags"]) == ("https://example.com", ["web"])
    assert (body["accent"], body["description"], body["icon"], body["launched_at"]) == ("", "", None, None)
    assert anonymous().get("/products/my-app/").json() == body
    assert anonymous().get(f"/products/{body['id']}/").json() == body
    assert anonymous().get("/products/").json() == {"next": None, "previous": None, "results": [body]}


@pytest.mark.parametrize("form", [[5, 6], "5,6", "[5,6]", {"0": 5, "1": 6}, '{"0":5,"1":6}', ["5", "6"]])
def test_lists_of_ids_arrive_in_many_forms(form: Any) -> None:
    alice = caller("alice")
    for pk in (5, 6):
        make_project(alice.maker, f"project{pk}", pk=pk)
    body = alice.post("/products/", {"name": "App", "projects": form}).json()
    assert [project["id"] for project in body["projects"]] == [5, 6]
    emptied = alice.patch(f"/products/{body['slug']}/", {"projects": ""}, format="multipart").json()
    assert emptied["projects"] == []


def test_lists_arrive_as_repeated_fields_of_a_form() -> None:
    alice = caller("alice")
    team = [make_maker(name).pk for name in ("bob", "charlie")]
    body = alice.post("/products/", {"name": "App", "team": team, "tags": ["a", "b"]}, format="multipart").json()
    assert (invited(), body["tags"]) == (team, ["a", "b"])


def test_what_was_read_may_be_sent_back() -> None:
    alice = caller("alice")
    project = make_project(alice.maker, private=True)
    make_product(alice.maker, team=[make_maker("bob").pk], projects=[project.pk])
    alice.patch("/products/honey/", {"icon": picture()}, format="multipart")
    body = alice.get("/products/honey/").json()
    again = alice.put("/products/honey/", body).json()
    assert {**again, "updated_at": ""} == {**body, "updated_at": ""}
    assert again["icon"].startswith("http")


def test_launching_says_when_and_keeps_it() -> None:
    alice = caller("alice")
    make_product(alice.maker)
    with time_machine.travel(datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC), tick=False):
        body = alice.patch("/products/honey/", "launched=1", content_type="application/x-www-form-urlencoded").json()
    assert (body["launched"], body["launched_at"]) == (True, "2026-05-04T03:02:01.000000Z")
    alice.patch("/products/honey/", {"launched": False})
    assert alice.patch("/products/honey/", {"launched": True}).json()["launched_at"] == body["launched_at"]


def test_an_icon_is_written_anew_and_the_old_one_goes(django_capture_on_commit_callbacks: Any) -> None:
    alice = caller("alice")
    product = make_product(alice.maker)
    body = alice.patch("/products/honey/", {"icon": picture()}, format="multipart").json()
    product.refresh_from_db()
    first = product.icon.name
    assert body["icon"].endswith(first)
    with default_storage.open(first) as file, Image.open(file) as icon:
        assert icon.size == (512, 512)
    with django_capture_on_commit_callbacks(execute=True):
        alice.patch("/products/honey/", {"icon": picture()}, format="multipart")
    assert not default_storage.exists(first)
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.patch("/products/honey/", {"icon": None}).json()["icon"] is None


def test_filters_search_and_order() -> None:
    alice, bob = caller("alice"), make_maker("bob")
    one = make_product(alice.maker, "One", description="A tool for bees", launched=True)
    two = make_product(bob, "Two")

    def found(query: str) -> list[int]:
        return [product["id"] for product in anonymous().get(f"/products/?{query}").json()["results"]]

    assert found("") == [two.pk, one.pk]
    assert found("ordering=created_at") == [one.pk, two.pk]
    assert found("user=alice") == found(f"user={alice.maker.pk}") == [one.pk]
    assert found("launched=true") == [one.pk]
    assert found("search=BEES") == [one.pk]
    assert found("search=bees&user=bob") == []
    assert_invalid(anonymous().get("/products/?launched=perhaps"), "launched")
    assert_invalid(anonymous().get("/products/?ordering=name"), "ordering")


def test_what_changed_since_is_told_oldest_change_first() -> None:
    alice = caller("alice")
    one, two = make_product(alice.maker, "One"), make_product(alice.maker, "Two")
    alice.patch(f"/products/{one.slug}/", {"description": "new"})
    Product.objects.update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    Product.objects.filter(pk=one.pk).update(updated_at=datetime(2026, 1, 2, tzinfo=UTC))
    rows = anonymous().get("/products/?updated_since=2025-12-31").json()["results"]
    assert [row["id"] for row in rows] == [two.pk, one.pk]
    rows = anonymous().get("/products/?updated_since=2026-01-02").json()["results"]
    assert [row["id"] for row in rows] == [one.pk]


# --- Slugs ---


def test_slugs_are_unique_and_never_numbers_or_route_words() -> None:
    alice = caller("alice")
    slugs = [alice.post("/products/", {"name": name}).json()["slug"] for name in ("App", "app!", "APP", "App ", "2048")]
    assert slugs[:3] == ["app", "app-2", "app-3"]
    assert slugs[3].startswith("app-")
    assert slugs[4] == "product-2048"
    assert [alice.post("/products/", {"name": name}).json()["slug"] for name in ("me", "東京")] == ["me-2", "product"]


def test_a_slug_outlives_a_new_name() -> None:
    alice = caller("alice")
    make_product(alice.maker)
    assert alice.patch("/products/honey/", {"name": "Other"}).json()["slug"] == "honey"


def test_every_word_beside_a_slug_is_reserved() -> None:
    first_words = set()
    for resolver in (each for each in get_resolver().url_patterns if not getattr(each, "app_name", None)):
        for pattern in getattr(resolver, "url_patterns", []):
            parts = str(pattern.pattern).strip("/").split("/")
            if parts[0] in {"products", "discussions"} and len(parts) > 1 and "<" not in parts[1]:
                first_words.add(parts[1])
    assert {"me", "recently_launched", "trending"} <= first_words
    assert first_words <= ROUTE_WORDS


def test_candidates_for_a_long_name_fit_their_column() -> None:
    assert all(len(slug) <= 120 for slug in itertools.islice(candidates("x" * 200, "product"), 5))


# --- Somebody else's ---


def test_the_team_changes_a_product_but_not_who_is_on_it_or_whether_it_is_private() -> None:
    alice, bob, charlie = caller("alice"), caller("bob"), make_maker("charlie")
    make_product(alice.maker, team=[bob.maker.pk])
    path = "/products/honey/"
    assert bob.patch(path, {"name": "Better", "private": False, "team": [bob.maker.pk]}).json()["name"] == "Better"
    assert_error(bob.patch(path, {"private": True}), 403, "not_owner")
    assert_error(bob.patch(path, {"team": [bob.maker.pk, charlie.pk]}), 403, "not_owner")
    assert_error(bob.delete(path), 403, "not_yours")
    assert alice.delete(path).status_code == 204
    assert_error(anonymous().get(path), 404, "not_found")


def test_others_may_read_a_product_and_nothing_else() -> None:
    make_product(make_maker("alice"))
    charlie = caller("charlie")
    assert charlie.get("/products/honey/").status_code == 200
    for refused in (charlie.patch("/products/honey/", {"name": "x"}), charlie.put("/products/honey/", {}),
                    charlie.delete("/products/honey/")):  # fmt: skip
        assert_error(refused, 403, "not_yours")
    assert_error(anonymous().patch("/products/honey/", {"name": "x"}), 401, "not_authenticated")
    assert_error(caller("dora", scopes=["tasks:write"]).post("/products/", {"name": "x"}), 403, "missing_scope")


def test_a_private_product_is_there_for_its_team_alone() -> None:
    alice, bob, charlie = caller("alice"), caller("bob"), caller("charlie")
    make_product(alice.maker, private=True, team=[bob.maker.pk])
    path = "/products/honey/"
    assert (alice.get(path).status_code, bob.get(path).status_code) == (200, 200)
    assert len(alice.get("/products/").json()["results"]) == 1
    for stranger in (anonymous(), charlie):
        assert_error(stranger.get(path), 404, "not_found")
        assert stranger.get("/products/").json()["results"] == []
        assert stranger.get("/products/?search=Honey").json()["results"] == []
    assert_error(charlie.patch(path, {"name": "x"}), 404, "not_found")


def test_a_private_makers_product_is_not_listed() -> None:
    make_product(make_maker("alice", private=True))
    assert anonymous().get("/products/").json()["results"] == []
    assert_error(anonymous().get("/products/honey/"), 404, "not_found")


def test_a_private_project_does_not_show_in_a_public_product() -> None:
    alice, bob = caller("alice"), caller("bob")
    secret, known = make_project(alice.maker, "secret", private=True), make_project(alice.maker, "known")
    make_product(alice.maker, projects=[secret.pk, known.pk], team=[bob.maker.pk])
    for path in ("/products/honey/", "/products/", "/products/honey/projects/", "/users/alice/products/"):
        assert b"secret" not in anonymous().get(path).content
        assert b"known" in anonymous().get(path).content
        assert b"secret" in alice.get(path).content
        assert b"secret" in bob.get(path).content


def test_projects_of_others_are_not_ones_own_to_use() -> None:
    alice, bob = caller("alice"), caller("bob")
    theirs, own = make_project(alice.maker, "theirs"), make_project(bob.maker, "own")
    assert_invalid(bob.post("/products/", {"name": "x", "projects": [theirs.pk]}), "projects")
    assert_invalid(bob.post("/products/", {"name": "x", "projects": [10**9]}), "projects")
    make_product(alice.maker, projects=[theirs.pk], team=[bob.maker.pk])
    other = make_project(alice.maker, "other", private=True)
    both = bob.patch("/products/honey/", {"projects": [theirs.pk, own.pk]}).json()["projects"]
    assert [project["id"] for project in both] == [theirs.pk, own.pk]
    assert_invalid(bob.patch("/products/honey/", {"projects": [other.pk]}), "projects")


# --- Bad input ---


def test_a_team_is_made_of_makers_there_are() -> None:
    alice = caller("alice")
    gone = make_maker("gone", is_active=False)
    for team in ([10**9], [gone.pk], ["x"], [0], [2**70], "a,b", [[1]], [True]):
        assert_invalid(alice.post("/products/", {"name": "x", "team": team}), "team")
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", None), ("name", "x" * 101), ("description", "x" * 2001), ("tags", ["x" * 41]),
        ("tags", [str(n) for n in range(MAX_TAGS + 1)]), ("projects", list(range(1, MAX_PROJECTS + 2))),
        ("team", list(range(1, MAX_TEAM + 3))), ("icon", "not a file"), ("launched", "perhaps"), ("name", "a\x00b"),
        ("website", "javascript:alert(1)"), ("website", "javascript://x.com/%0aalert(1)"), ("website", "nonsense"),
        ("website", "ftp://example.com"), ("website", "https://good.com@evil.com"), ("website", "mailto:a@b.co"),
    ],
)  # fmt: skip
def test_bad_fields_are_named(field: str, value: Any) -> None:
    assert_invalid(caller("alice").post("/products/", {"name": "x", field: value}), field)


def test_an_icon_is_an_image() -> None:
    upload = SimpleUploadedFile("me.png", b"<svg onload=alert(1)>", "image/png")
    assert_invalid(caller("alice").post("/products/", {"name": "x", "icon": upload}, format="multipart"), "icon")


@pytest.mark.parametrize("website", ["", "null", "undefined", None])
def test_a_website_may_be_nothing(website: str | None) -> None:
    assert caller("alice").post("/products/", {"name": "x", "website": website}).json()["website"] == ""


# --- Limits ---


def test_pages_are_bounded_and_followed() -> None:
    alice = make_maker("alice")
    made = [make_product(alice, f"Product {number}").pk for number in range(3)]
    page = anonymous().get("/products/?limit=2").json()
    rest = anonymous().get(page["next"].split("8000")[1]).json()
    assert [product["id"] for product in page["results"] + rest["results"]] == made[::-1]
    assert rest["next"] is None
    assert_error(anonymous().get("/products/?limit=0"), 400, "bad_limit")
    assert_error(anonymous().get("/products/?page=2"), 400, "use_next")


def test_a_full_page_of_full_products_is_within_the_ceiling() -> None:
    alice = make_maker("alice")
    projects = [make_project(alice, f"{n:02}" + "🐝" * 48).pk for n in range(MAX_PROJECTS)]
    product = make_product(
        alice, "🐝" * 100, description="🐝" * 2000, tags=["🐝" * 40] * MAX_TAGS, projects=projects, website="x" * 200
    )
    size = len(orjson.dumps(anonymous().get(f"/products/{product.slug}/").json()))
    assert size * 100 < 4 * 1024 * 1024


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_often_however_long_it_is(count: int, django_assert_num_queries: Any) -> None:
    alice, bob = caller("alice"), make_maker("bob")
    alice.get("/projects/")
    for number in range(count):
        project = make_project(alice.maker, f"project{number}")
        make_product(alice.maker, f"Product {number}", projects=[project.pk], team=[bob.pk], private=number == 1)
    with django_assert_num_queries(1):
        anonymous().get("/products/")
    with django_assert_num_queries(1 + 1):  # the token; the list
        assert len(alice.get("/products/").json()["results"]) == count


# --- Tasks follow ---


def test_tasks_follow_the_privacy_of_the_product_they_stand_under() -> None:
    alice = caller("alice")
    project = make_project(alice.maker)
    make_product(alice.maker, projects=[project.pk])
    task, _ = log_task(author=alice.maker, content="on #makerlog")

    def listed() -> bool:
        return Task.objects.get(pk=task.pk).listed and bool(anonymous().get("/tasks/").json()["results"])

    assert listed()
    alice.patch("/products/honey/", {"private": True})
    assert not listed()
    assert Product.objects.filter(listed=False, memberships__listed=False).exists()
    alice.patch("/products/honey/", {"projects": []})
    assert listed()
    alice.patch("/products/honey/", {"projects": [project.pk]})
    assert not listed()
    alice.patch("/products/honey/", {"private": False})
    assert listed()
    alice.patch("/products/honey/", {"private": True})
    alice.delete("/products/honey/")
    assert listed()


def test_the_tasks_of_a_project_stand_under_the_products_that_hold_it() -> None:
    alice = caller("alice")
    project = make_project(alice.maker)
    log_task(author=alice.maker, content="on #makerlog")
    make_product(alice.maker)
    assert anonymous().get("/tasks/?product=honey").json()["results"] == []
    alice.patch("/products/honey/", {"projects": [project.pk]})
    assert len(anonymous().get("/tasks/?product=honey").json()["results"]) == 1
    alice.patch("/products/honey/", {"projects": []})
    assert anonymous().get("/tasks/?product=honey").json()["results"] == []


def test_a_team_without_its_owner_in_the_list_is_no_larger() -> None:
    alice = caller("alice")
    team = [make_maker(f"maker{number}").pk for number in range(MAX_TEAM + 1)]
    assert_invalid(alice.post("/products/", {"name": "Bees", "team": team}), "team")
    assert alice.post("/products/", {"name": "Bees", "team": [alice.maker.pk, *team[1:]]}).status_code == 201


@pytest.mark.parametrize("secret", [{"private": True}, {}], ids=["private product", "private maker"])
def test_a_free_slug_tells_nothing_of_a_private_product_of_that_name(secret: Any) -> None:
    alice, bob = caller("alice", private=not secret), caller("bob")
    made = alice.post("/products/", {"name": "Moonshot", **secret}, format="json").json()
    assert made["slug"].startswith("moonshot-")
    assert len(made["slug"]) == len("moonshot-") + 8
    assert bob.post("/products/", {"name": "Moonshot"}).json()["slug"] == "moonshot"
    assert_error(bob.get("/products/moonshot-2/"), 404, "not_found")
    assert alice.get(f"/products/{made['slug']}/").status_code == 200


def test_a_private_product_keeps_its_slug_when_it_is_listed() -> None:
    alice = caller("alice")
    slug = alice.post("/products/", {"name": "Moonshot", "private": True}, format="json").json()["slug"]
    assert alice.patch(f"/products/{slug}/", {"private": False}, format="json").json()["slug"] == slug
    assert anonymous().get(f"/products/{slug}/").status_code == 200
