"""`manage.py check --deploy`: each thing that a public service must have, and what is said where it is missing."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.db import connection

from makerlog.api import production
from makerlog.api.store import redis_client
from tests.limits.conftest import OwnRedis, own_redis  # noqa: F401

pytestmark = pytest.mark.django_db
NETWORK = ipaddress.ip_network("10.0.0.0/24")


@pytest.fixture
def deployed(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings that are as they should be."""
    settings.EMBEDDED_DATABASE = settings.EMBEDDED_REDIS = settings.DEVELOPMENT = False
    settings.PUBLIC_URL = "https://makerlog.example.com"
    settings.ALLOWED_HOSTS = ["makerlog.example.com"]
    settings.TRUSTED_PROXIES = [NETWORK]
    settings.EMAIL_HOST = "mail.example.com"
    monkeypatch.setattr(production, "is_mounted", lambda folder: True)
    return settings


def found() -> list[str]:
    ours = [
        each for each in checks.run_checks(include_deployment_checks=True) if (each.id or "").startswith("makerlog.")
    ]
    assert all(each.hint and each.msg.endswith(".") for each in ours)
    return [each.id.removeprefix("makerlog.") for each in ours if each.id]


def test_a_service_that_has_everything_is_told_nothing(deployed: Any) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DEBUG", True, "E101"),
        ("EMBEDDED_DATABASE", True, "E102"),
        ("EMBEDDED_REDIS", True, "E103"),
        ("PUBLIC_URL", "http://makerlog.example.com", "E104"),
        ("ALLOWED_HOSTS", ["localhost"], "E105"),
        ("TRUSTED_PROXIES", [], "W106"),
        ("TRUSTED_PROXIES", [NETWORK, ipaddress.ip_network("0.0.0.0/0")], "E107"),
        ("REDIS_URL", "unix:///nowhere/valkey.sock", "W108"),
        ("WEB_CONCURRENCY", 9, "E111"),
        ("EMAIL_HOST", "", "W113"),
    ],
)
def test_what_is_missing_is_named(deployed: Any, name: str, value: object, told: str) -> None:
    setattr(deployed, name, value)
    assert found() == [told]


@pytest.mark.parametrize("address", ["https://127.0.0.1", "https://localhost", "https://192.168.1.7", "https://"])
def test_an_address_that_makers_cannot_reach_is_no_public_one(deployed: Any, address: str) -> None:
    deployed.PUBLIC_URL, deployed.ALLOWED_HOSTS = address, ["*"]
    assert found() == ["E104"]


def test_a_redis_that_forgets_limits_is_an_error(deployed: Any, own_redis: OwnRedis) -> None:  # noqa: F811
    deployed.REDIS_URL = own_redis.url
    assert found() == []
    redis = redis_client.from_url(own_redis.url)
    redis.config_set("maxmemory-policy", "allkeys-lru")
    assert found() == ["E109"]
    redis.config_set("maxmemory-policy", "volatile-ttl")
    assert found() == []


def test_a_database_that_cannot_be_asked_is_a_warning(deployed: Any) -> None:
    here = dict(connection.settings_dict)
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        assert found() == ["W110"]
    finally:
        connection.settings_dict.update(here)


def test_behind_a_pooler_nobody_counts_the_database_s_connections(deployed: Any) -> None:
    deployed.WEB_CONCURRENCY, deployed.DATABASE_POOLED = 64, True
    assert found() == []


def test_uploads_on_the_disk_of_the_code_are_lost_with_it(
    deployed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    deployed.MEDIA_ROOT = deployed.BASE_DIR / "media" / "not" / "yet"
    assert not production.is_mounted(deployed.MEDIA_ROOT)
    assert "W112" in found()
    deployed.MEDIA_S3_BUCKET = "media"
    assert "W112" not in found()
    assert production.is_mounted(Path("/proc"))


def test_all_checks_are_silent_where_all_is_well(deployed: Any) -> None:
    """Django's own too: what is always said is read by nobody."""
    deployed.SESSION_COOKIE_SECURE = deployed.CSRF_COOKIE_SECURE = True
    assert [str(each) for each in checks.run_checks(include_deployment_checks=True) if not each.is_silenced()] == []
