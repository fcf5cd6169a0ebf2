"""/schema/ and /docs/"""

import json
import re
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from makerlog.api.checks import routes
from tests.makers import anonymous

pytestmark = pytest.mark.django_db


def generated() -> Any:
    GENERATOR_STATS.reset()
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_document_is_made_without_a_warning_and_is_valid() -> None:
    document = generated()
    assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})
    validate_schema(document)


def test_every_endpoint_is_described() -> None:
    described = {re.sub(r"{[^}]+}", "*", path) for path in generated()["paths"]}
    ours = {"/" + re.sub(r"<[^>]+>", "*", route.path) for route in routes() if route.ours} - {"/schema/", "/metrics/"}
    assert ours - described == set()


def test_every_list_says_what_bounds_a_page() -> None:
    operation = generated()["paths"]["/tasks/"]["get"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert set(parameters) >= {"cursor", "user", "project", "product", "done", "start_date", "end_date", "search"}
    assert "offset" not in parameters


def test_it_is_json_unless_yaml_is_asked_for() -> None:
    plain = anonymous().get("/schema/")
    assert plain["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert json.loads(plain.content)["openapi"].startswith("3.")
    for accept in ("text/html", "*/*", "image/png", ""):
        assert anonymous().get("/schema/", HTTP_ACCEPT=accept)["Content-Type"] == plain["Content-Type"]
    yaml = anonymous().get("/schema/", HTTP_ACCEPT="application/yaml")
    assert yaml.content.startswith(b"openapi: 3.")


def test_the_page_loads_nothing_from_another_host(settings: Any) -> None:
    files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # none are collected for tests
    settings.STORAGES = {**settings.STORAGES, "staticfiles": files}
    page = anonymous().get("/docs/").content.decode()
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded != []
    assert [address for address in loaded if not address.startswith(("/", "data:")) or address.startswith("//")] == []
    scripts = [address for address in re.findall(r"https?://[^\s\"'<>]+", page) if "127.0.0.1" not in address]
    assert [address for address in scripts if "testserver" not in address] == []


def shape(path: str, method: str = "get", status: str = "200") -> Any:
    """What the document says the answer is; the components it names, by their name."""
    answer = generated()["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    return answer["$ref"].rpartition("/")[2] if "$ref" in answer else answer


def test_an_envelope_and_a_bare_array_are_told_apart() -> None:
    components = generated()["components"]["schemas"]
    assert [shape("/users/"), shape("/me/following/")] == ["PaginatedMakerList", "MakerList"]
    assert components["PaginatedMakerList"]["required"] == ["next", "previous", "results"]
    assert components["MakerList"] == {"type": "array", "items": {"$ref": "#/components/schemas/Maker"}}


LISTS = ["/launches/", "/tasks/me/", "/users/{maker}/recent_tasks/", "/discussions/recent_questions/"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_of_one_url_is_a_list_and_takes_a_cursor(path: str) -> None:
    operation = generated()["paths"][path]["get"]
    assert operation["operationId"].endswith("_list")
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"cursor", "limit"}
    assert shape(path).endswith("List")


def test_what_is_no_list_says_what_it_is() -> None:
    assert shape("/tasks/sync/") == "Sync"
    assert shape("/tasks/batch/", "post", "207") == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/BatchAnswer"},
    }
    assert list(generated()["paths"]["/tasks/batch/"]["post"]["requestBody"]["content"]) == ["application/json"]
    assert [shape("/tasks/{task}/praise/"), shape("/tasks/{task}/praise/", "delete")] == ["PraisedBy", "Praise"]
    assert [shape("/tasks/", "post", status) for status in ("200", "201")] == ["Task", "Task"]


def test_every_operation_is_described_in_words_of_its_own() -> None:
    operations = [(path, operation) for path, methods in generated()["paths"].items() for operation in methods.values()]
    assert [path for path, operation in operations if not operation.get("description")] == []
    assert [path for path, operation in operations if "handlers named" in operation["description"]] == []


def test_every_operation_may_answer_with_the_one_error_shape() -> None:
    document = generated()
    answers = [operation["responses"]["default"] for each in document["paths"].values() for operation in each.values()]
    reference = {"schema": {"$ref": "#/components/schemas/Error"}}
    wanted = {"application/json": reference, "application/problem+json": reference}
    assert [answer for answer in answers if answer["content"] != wanted] == []
    assert set(document["components"]["schemas"]["Error"]["properties"]) == {"detail", "code"}


def test_every_operation_but_the_free_ones_may_answer_429_and_says_with_which_headers() -> None:
    document = generated()
    reference = {"$ref": "#/components/responses/Throttled"}
    free = [
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if operation["responses"].get("429") != reference
    ]
    assert free == ["/health/ready/"]
    headers = document["components"]["responses"]["Throttled"]["headers"]
    assert set(headers) >= {"Retry-After", "RateLimit", "RateLimit-Policy", "X-RateLimit-Reset"}


def test_a_version_asked_for_is_written_into_no_header() -> None:
    response = anonymous().get("/schema/?version=%00%22evil")
    assert response.status_code == 200
    assert [value for value in response.headers.values() if "evil" in value] == []


def test_the_root_says_where_to_begin() -> None:
    answer = anonymous().get("/").json()
    assert set(answer) == {"docs", "schema", "health"}
    assert all(url.startswith("http") for url in answer.values())
