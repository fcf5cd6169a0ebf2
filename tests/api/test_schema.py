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
    ours = {"/" + re.sub(r"<[^>]+>", "*", route.path) for route in routes() if route.ours}
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
