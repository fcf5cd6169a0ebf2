"""Makers at hand before anybody asks, as many as are kept.

Each process makes what it keeps of a maker when a page first shows them, twenty in a page, while somebody waits. What is
made before the processes are forked serves them all.
"""

import logging
from time import monotonic

from django.db import connection
from django.db.models import F

from makerlog.accounts.models import Maker
from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.compiled import kept_form
from makerlog.gate import deadline

logger = logging.getLogger("makerlog.ahead")

AT_ONCE = 500  # makers in one statement
ENOUGH_S = 3.0  # a start is not held up for longer; who is left out is made when a page shows them


def read_ahead(seconds: float = ENOUGH_S) -> int:
    """How many makers were made ready; as many as can be kept, in ``seconds``. Raises nothing: the service starts without
    them, whatever is wrong. Leaves no connection behind."""
    form, end, ready = kept_form(MakerSerializer), monotonic() + seconds, 0
    try:
        with deadline.until(end):
            makers = makers_who_posted_last(form.shelf.most)
            for start in range(0, len(makers), AT_ONCE):
                if monotonic() > end:
                    break
                ready += len(form.fetched(makers[start : start + AT_ONCE]))
    except Exception as error:
        logger.warning("Makers are made ready as pages show them: %r", error)
    finally:
        connection.close()
    return ready


def makers_who_posted_last(most: int) -> list[int]:
    """Their ids, of the last first; after them those who posted nothing."""
    makers = Maker.objects.order_by(F("last_day").desc(nulls_last=True))
    return list(makers.values_list("pk", flat=True)[:most])
