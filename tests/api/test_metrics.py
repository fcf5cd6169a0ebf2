"""/metrics: who may read it, and what stands in it."""

import pytest

from makerlog.gate import metrics  # noqa: F401  (as in every process that answers)
from tests.errors import assert_error
from tests.makers import anonymous, caller

pytestmark = pytest.mark.django_db
NEAR = {"makerlog.lane": "ops"}


def test_the_machines_own_network_reads_the_metrics() -> None:
    response = anonymous().get("/metrics/", **NEAR)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert response["Cache-Control"] == "no-store"
    lines = response.content.decode().splitlines()
    connections = next(line for line in lines if line.startswith("makerlog_database_connections "))
    assert float(connections.split()[1]) >= 1
    assert any(line.startswith("# TYPE makerlog_requests_total counter") for line in lines)


def test_nobody_else_does() -> None:
    assert_error(anonymous().get("/metrics/"), 403, "permission_denied")
    assert caller("alice").get("/metrics/").status_code == 403
    assert anonymous().get("/metrics/", HTTP_AUTHORIZATION="Bearer ").status_code == 403


def test_the_secret_opens_it_from_anywhere(settings) -> None:
    settings.METRICS_TOKEN = "secret"
    assert anonymous().get("/metrics/", HTTP_AUTHORIZATION="Bearer secret").status_code == 200
    assert anonymous().get("/metrics/", HTTP_AUTHORIZATION="Bearer secreT").status_code == 403


def test_it_stands_in_no_api_description() -> None:
    assert "/metrics/" not in anonymous().get("/schema/").json()["paths"]
