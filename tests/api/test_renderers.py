"""JSON, always; and the ceiling that no answer passes."""

import logging
from typing import Any

import pytest
from django.urls import clear_url_caches, path
from django.utils.functional import lazystr
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.api import renderers
from makerlog.api.renderers import MAX_BYTES, MAX_ROWS, longest_list
from makerlog.api.views import ApiView
from tests.errors import assert_error
from tests.makers import anonymous

ANSWERS: dict[str, Any] = {
    "rows": list(range(MAX_ROWS + 1)),
    "tuple": tuple(range(MAX_ROWS + 1)),
    "nested": {"a": [{"b": {"c": [[0] * (MAX_ROWS + 1)]}}]},
    "ten thousand": [{"id": number} for number in range(10_000)],
    "bytes": {"text": "x" * MAX_BYTES},
    "most": list(range(MAX_ROWS)),
    "lazy": {"word": lazystr("x"), 1: "a number for a key"},
    "nothing": None,
}


class ByHand(ApiView):
    """What no start-up check can see: a method that returns what it likes."""

    permission_classes = [AllowAny]
    bounded_by = "nothing, whatever it says"

    def get(self, request: Request, kind: str) -> Response:
        return Response(ANSWERS[kind])


urlpatterns = [path("by-hand/<kind>/", ByHand.as_view())]


@pytest.fixture(autouse=True)
def _routes(settings: Any) -> Any:
    settings.ROOT_URLCONF = __name__
    clear_url_caches()
    yield
    clear_url_caches()


@pytest.mark.parametrize("kind", ["rows", "tuple", "nested", "ten thousand", "bytes"])
def test_an_unbounded_answer_is_stopped_and_raises_an_alarm(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "makerlog.ceiling"):
        response = anonymous().get(f"/by-hand/{kind}/")
    assert_error(response, 500, "unbounded_answer")
    alarms = [record for record in caplog.records if record.name == "makerlog.ceiling"]
    assert [(alarm.levelname, "ByHand" in alarm.getMessage()) for alarm in alarms] == [("CRITICAL", True)]
    assert len(response.content) < 200


def test_an_answer_at_the_ceiling_passes() -> None:
    assert len(anonymous().get("/by-hand/most/").json()) == MAX_ROWS


def test_lazy_words_and_numbers_for_keys_are_written() -> None:
    assert anonymous().get("/by-hand/lazy/").json() == {"word": "x", "1": "a number for a key"}


def test_no_data_is_an_empty_body() -> None:
    assert anonymous().get("/by-hand/nothing/").content == b""


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "*/*", "", "application/json; indent=8", "nonsense", "image/png;q=1", "\xff"],
)
def test_the_answer_is_json_whatever_is_accepted(accept: str) -> None:
    response = anonymous().get("/by-hand/most/", HTTP_ACCEPT=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert b"\n" not in response.content


@pytest.mark.parametrize("query", ["format=api", "format=xml", "format=json", "format="])
def test_the_format_parameter_means_nothing(query: str) -> None:
    assert anonymous().get(f"/by-hand/most/?{query}")["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (None, 0),
        ({}, 0),
        ([], 0),
        ([1], 1),
        ({"a": [1, 2]}, 2),
        ([[1, 2, 3], [1]], 3),
        ({"a": {"b": ((1,) * 7,)}}, 7),
        ("text", 0),
    ],
)
def test_the_longest_list_is_found_however_deep(data: Any, rows: int) -> None:
    assert longest_list(data) == rows


def test_a_page_of_rows_stays_under_the_ceiling_with_its_links() -> None:
    assert renderers.PAGE_BYTES + 64 * 1024 <= MAX_BYTES
    assert renderers.weight({"a": "é"}) == len('{"a":"é"}'.encode())
