"""What Django leaves in the environ for the front door."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from makerlog.gate.lanes import WHOSE
from makerlog.gate.seen import QUERIES, ROUTE, ROWS
from tests.makers import anonymous, caller
from tests.tasks.logs import bulk

pytestmark = pytest.mark.django_db


def test_route_maker_rows_and_queries_of_a_request_are_left_in_its_environ() -> None:
    alice = caller("alice")
    bulk(alice.maker, 33)
    alice.get("/tasks/")  # the first use of a token is written down
    with CaptureQueriesContext(connection) as few:
        three = alice.get("/tasks/?limit=3").wsgi_request.META
    with CaptureQueriesContext(connection) as many:
        thirty = alice.get("/tasks/?limit=30").wsgi_request.META
    assert (three[ROUTE], three[WHOSE]) == ("tasks/", alice.maker.pk)
    assert (three[QUERIES], thirty[QUERIES]) == (len(few), len(many))
    assert thirty[ROWS] - three[ROWS] == 27


def test_a_path_that_leads_nowhere_has_no_route_and_no_secret_is_in_a_route() -> None:
    assert anonymous().get("/nowhere/").wsgi_request.META[ROUTE] == ""
    link = anonymous().get("/accounts/reset/MTI/cx7s4y-0123456789abcdef0123456789abcdef/").wsgi_request.META
    assert link[ROUTE] == "accounts/reset/<str:uid>/<str:token>/"
