"""The matrix catches what it is there to catch: each mistake of ``controls.py``."""

from typing import Any

import pytest

from tests.attack.ownership.matrix import WRITES, Case, writes
from tests.attack.ownership.outcomes import outcome
from tests.attack.ownership.test_fields import effect
from tests.attack.ownership.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mistakes(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.attack.ownership.controls"


def found(method: str, url: str, role: str, world: World) -> str:
    return outcome(Case(method, url, '{"content": "Changed"}', ()), role, world)


def test_a_view_that_does_not_ask_whose_it_is_shows(world: World) -> None:
    assert found("PATCH", "anybody/$task/", "maker", world) == "200"
    assert found("DELETE", "anybody/$task/", "maker", world) == "204~"  # and takes a day from alice's count


def test_a_refusal_that_comes_too_late_shows(world: World) -> None:
    assert found("PATCH", "late/$task/", "maker", world) == "403!"


def test_a_404_that_tells_why_shows(world: World) -> None:
    assert found("PATCH", "gossip/$private_task/", "maker", world) == "404?"
    assert found("PATCH", "gossip/$missing/", "maker", world) == "404"


def test_a_change_of_somebody_else_s_account_shows(world: World) -> None:
    assert found("PATCH", "elsewhere/", "owner", world) == "200~"
    assert found("PATCH", "elsewhere/", "maker", world) == "200"


def test_a_field_that_is_taken_though_it_should_not_be_shows(world: World) -> None:
    case = Case("PATCH", "generous/", "{}", ())
    assert effect(case, "owner", world, {}) != effect(case, "owner", world, {"is_moderator": True})


def test_a_new_write_is_asked_for(world: World) -> None:
    assert ("DELETE", "forgotten/") in writes() - WRITES
