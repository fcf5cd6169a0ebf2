"""How statements are planned: both ways are held to the same bounds."""

from typing import Any

import pytest
from django.db import connection

from makerlog.api import prepared, statements
from makerlog.api.statements import ANY_LIMIT


@pytest.fixture(params=["each for its values", "all for any"])
def planned(request: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Statements as they are, and prepared: then PostgreSQL makes one plan for no values in particular."""
    if request.param == "all for any":
        settings.PREPARED_STATEMENTS = True
        with connection.cursor() as cursor:  # of plans that were made while the tables were empty
            cursor.execute("DISCARD PLANS")
        monkeypatch.setattr(prepared, "WORTH", 1)
        monkeypatch.setattr(prepared, "MOST", 10_000)
        monkeypatch.setattr(statements, "USUAL", range(ANY_LIMIT))
