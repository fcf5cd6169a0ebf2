"""Names that a route does not know: a typing error is never silently the widest answer."""

import re
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from makerlog.api.checks import Route, routes
from makerlog.api.fields import FlexibleListField
from makerlog.api.parameters import REFUSED, looks_like, parameters_of
from makerlog.api.throttling import pages
from makerlog.gate.answers import EXPOSED
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, just_logged_in

pytestmark = pytest.mark.django_db

READS = {route.path: route for route in routes() if route.ours and route.reader}


# --- Query parameters ---


@pytest.mark.parametrize(
    "name", ["donee", "Done", "dne", "doen", "done[]", "is_done", "userr", "user_id", "start-date"]
)
def test_a_filter_with_a_typing_error_is_a_400_that_names_it(name: str) -> None:
    for reader in (anonymous(), caller("alice" + str(len(name)))):
        body = assert_error(reader.get("/tasks/", {name: "true"}), 400, "unknown_parameter")
        assert repr(name) in body["detail"]


def test_a_parameter_of_no_meaning_is_passed_over_and_named() -> None:
    caller().post("/tasks/", {"content": "x"})
    response = anonymous().get("/tasks/?_=123&utm_source=mail&limit=5&done=false")
    assert (response.status_code, len(response.json()["results"])) == (200, 1)
    assert response["X-Ignored-Parameters"] == "_, utm_source"
    assert "X-Ignored-Parameters" not in anonymous().get("/tasks/?limit=5")
    assert "X-Ignored-Parameters" in EXPOSED


def test_a_filter_of_a_list_is_no_filter_of_a_detail() -> None:
    alice = caller()
    task = alice.post("/tasks/", {"content": "x"}).json()["id"]
    response = alice.get(f"/tasks/{task}/?done=true&limit=3")
    assert (response.status_code, response["X-Ignored-Parameters"]) == (200, "done, limit")


def test_a_write_passes_over_all_of_them() -> None:
    response = caller().post("/tasks/?donee=1", {"content": "x"})
    assert (response.status_code, response["X-Ignored-Parameters"]) == (201, "donee")


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "é" * 300, "x,y", "\x00", "[]"])
def test_no_name_writes_a_header_of_its_own(name: str) -> None:
    response = anonymous().get("/tasks/", {name: "1"})
    value = response["X-Ignored-Parameters"]
    assert re.fullmatch(r"[A-Za-z0-9%_.~\[\]/-]+", value)
    assert len(value) <= 600
    assert "Set-Cookie" not in response


def test_of_many_unknown_names_a_few_are_named() -> None:
    response = anonymous().get("/tasks/", {f"x{number}": "1" for number in range(400)})
    assert len(response["X-Ignored-Parameters"].split(", ")) == 20


def documented(path: str, schema: dict[str, Any]) -> set[str]:
    entry = schema["paths"].get("/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)) or {}
    return {each["name"] for each in entry.get("get", {}).get("parameters", []) if each["in"] == "query"}


def known(route: Route) -> set[str]:
    view = route.view()
    if hasattr(route.callback, "actions"):
        view.action = route.callback.actions["get"]
    return set(parameters_of(route.view, pages(view)))


def test_every_route_knows_the_parameters_that_openapi_tells_of_and_no_others() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    told = {path: documented(path, schema) for path in READS}
    assert {path: known(route) - REFUSED for path, route in READS.items()} == told


@pytest.mark.parametrize("path", [path for path, route in READS.items() if "<" not in path])
def test_every_route_names_what_it_passes_over(path: str) -> None:
    response = caller().get(f"/{path}?zzzz=1")
    if response.status_code == 200:
        assert response["X-Ignored-Parameters"] == "zzzz"
    else:
        assert response.status_code in (400, 401, 403, 405)


@pytest.mark.parametrize(
    ("one", "other"),
    [("page_size", "limit"), ("users", "q"), ("date", "day"), ("t", "team"), ("format", "fields"), ("end", "user")],
)
def test_other_words_are_no_typing_errors(one: str, other: str) -> None:
    assert not looks_like(one.replace("_", ""), other.replace("_", ""))


# --- Lists in forms ---

WAYS = [
    [("{}", "{0}"), ("{}", "{1}")],
    [("{}[]", "{0}"), ("{}[]", "{1}")],
    [("{}[0]", "{0}"), ("{}[1]", "{1}")],
    [("{}[1]", "{1}"), ("{}[0]", "{0}")],
    [("{}", "{0},{1}")],
]


def written(name: str, way: list[tuple[str, str]], items: list[Any]) -> str:
    return "&".join(f"{key.format(name)}={value.format(*items)}" for key, value in way)


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_scopes_of_a_form_are_read_however_they_are_written(way: list[tuple[str, str]]) -> None:
    body = written("scopes", way, ["tasks:read", "user:read"])
    response = just_logged_in().post("/tokens/", body, content_type=FORM)
    assert (response.status_code, response.json()["scopes"]) == (201, ["tasks:read", "user:read"])


@pytest.mark.parametrize("key", ["scopes[]", "scopes[0]", "scopes"])
def test_one_scope_of_a_form_is_one_scope(key: str) -> None:
    response = just_logged_in().post("/tokens/", f"{key}=tasks:read", content_type=FORM)
    assert (response.status_code, response.json()["scopes"]) == (201, ["tasks:read"])


@pytest.mark.parametrize(
    "key", ["scopes[a]", "scopes[", "scopes[][]", "scopes[0][", "scope", "scopes.0", "Scopes", "scopess", "permissions"]
)
@pytest.mark.parametrize("form", [True, False])
def test_scopes_that_cannot_be_read_make_no_token(key: str, form: bool) -> None:
    alice = just_logged_in()
    if form:
        response = alice.post("/tokens/", f"{key}=tasks:read", content_type=FORM)
    else:
        response = alice.post("/tokens/", {key: ["tasks:read"]})
    assert response.status_code == 400
    assert "scopes" in response.json() or key in response.json()


@pytest.mark.parametrize("key", ["expires", "expires_on", "expire_at", "expires_in", "expiresAt", "ttl"])
def test_an_expiry_under_another_name_makes_no_token_that_lives_for_ever(key: str) -> None:
    assert_invalid(just_logged_in().post("/tokens/", {"scopes": ["tasks:read"], key: "2030-01-01"}), key)


@pytest.mark.parametrize("key", ["is_private", "Private", "privat", "private[]", "public", "visibility"])
@pytest.mark.parametrize("path", ["/products/", "/projects/"])
def test_what_was_meant_to_be_private_is_not_made_public_by_a_typing_error(path: str, key: str) -> None:
    alice = caller()
    assert_invalid(alice.post(path, {"name": "P", key: True}), key)
    assert_invalid(alice.patch("/me/", {key: True}), key)


def test_a_body_field_of_no_meaning_passes() -> None:
    assert caller().post("/products/", {"name": "P", "color": "red", "id": 5}).status_code == 201


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_tags_team_and_projects_of_a_form_are_read_however_they_are_written(
    way: list[tuple[str, str]], kind: str
) -> None:
    alice = caller()
    projects = [alice.post("/projects/", {"name": name}).json()["id"] for name in ("one", "two")]
    pairs = [pair.split("=") for pair in written("tags", way, ["a", "b"]).split("&")]
    pairs += [pair.split("=") for pair in written("projects", way, projects).split("&")]
    body: dict[str, Any] = {"name": "P"}
    for key, value in pairs:
        body[key] = [*body.get(key, []), value]
    if kind == "multipart":
        response = alice.post("/products/", body, format="multipart")
    else:
        text = "&".join(["name=P", *(f"{key}={value}" for key, value in pairs)])
        response = alice.post("/products/", text, content_type=FORM)
    assert response.status_code == 201, response.json()
    shown = response.json()
    assert (shown["tags"], sorted(each["id"] for each in shown["projects"])) == (["a", "b"], sorted(projects))


def test_objects_of_a_form_are_read_by_their_ids() -> None:
    alice = caller()
    project = alice.post("/projects/", {"name": "one"}).json()["id"]
    text = f"name=P&projects[0][id]={project}&projects[0][name]=one"
    shown = alice.post("/products/", text, content_type=FORM).json()
    assert [each["id"] for each in shown["projects"]] == [project]


@pytest.mark.parametrize("key", ["tags[x]", "team[", "projects[0][0][0]", "tags[-1]", "tags[99999999]"])
def test_a_list_that_cannot_be_read_is_a_400_of_its_field(key: str) -> None:
    response = caller().post("/products/", f"name=P&{key}=1", content_type=FORM)
    assert_invalid(response, key.partition("[")[0])


def test_an_empty_list_of_a_form_is_empty() -> None:
    alice = caller()
    slug = alice.post("/products/", {"name": "P", "tags": ["a"]}).json()["slug"]
    assert alice.patch(f"/products/{slug}/", "tags[]=", content_type=FORM).json()["tags"] == []


def test_every_list_that_a_body_takes_reads_these_forms() -> None:
    """A list of another class would be read by DRF, which knows ``tags[0]`` and ``tags`` alone."""
    from rest_framework.serializers import ListField, Serializer

    found: list[str] = []
    pending: list[type[Serializer]] = list(Serializer.__subclasses__())
    while pending:
        each = pending.pop()
        pending += each.__subclasses__()
        if each.__module__.startswith(("rest_framework", "drf_", "tests")):
            continue
        found += [
            f"{each.__qualname__}.{name}"
            for name, field in each._declared_fields.items()  # type: ignore[attr-defined]
            if isinstance(field, ListField) and not field.read_only and not isinstance(field, FlexibleListField)
        ]
    assert set(found) <= {"SyncSerializer.deleted", "ExportSerializer.links"}  # of answers
