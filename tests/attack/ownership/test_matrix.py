"""Every write, by every kind of caller: what is answered, and what it changed."""

import pytest

from tests.attack.ownership.matrix import CASES, COLUMNS, WRITES, Case, Pair, Write
from tests.attack.ownership.outcomes import ask, outcome
from tests.attack.ownership.snapshot import taken
from tests.attack.ownership.world import World
from tests.errors import assert_error

pytestmark = pytest.mark.django_db


def test_every_write_of_the_api_is_in_the_table(world: World) -> None:
    missing = WRITES - {(case.method, case.route(world.names)) for case in CASES}
    assert not missing, (
        f"{sorted(missing)} write, and nobody has said who may: add a line for each to TABLE in"
        " tests/attack/ownership/matrix.py, aimed at alice's; one at somebody else's, at what is hidden, private and"
        " missing; and one for each id that its body may name. A GET that writes nothing has a HEAD."
    )


def test_the_table_names_no_write_that_is_gone(world: World) -> None:
    gone = {(case.method, case.route(world.names)) for case in CASES} - WRITES
    assert not gone, f"{sorted(gone)} are no writes of the URLconf any more: take their lines out of TABLE."


CLOSED = {
    "account_closed": "account_closed", "expired": "token_expired", "revoked": "token_revoked", "made up": "token_revoked",
}  # fmt: skip


@pytest.mark.parametrize("write", sorted(WRITES), ids=" ".join)
def test_a_credential_that_is_good_no_more_writes_nothing(write: Write, world: World) -> None:
    case = next(case for case in CASES if (case.method, case.route(world.names)) == write)
    for reason, client in world.closed.items():
        assert_error(ask(client, case, world), 401, CLOSED[reason])
    assert taken() == world.rows


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_outcome_is_the_one_in_the_table(case: Case, world: World, tested: set[Pair]) -> None:
    write = case.method, case.route(world.names)
    found = {role: outcome(case, role, world) for role in COLUMNS}
    tested |= {(write, role) for role in COLUMNS}
    assert found == case.expected, (
        f"{case} is\n{' '.join(found.values())}, and the table says\n{' '.join(case.expected.values())}"
    )
