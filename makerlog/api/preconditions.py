"""``If-Match`` and ``If-None-Match`` on writes: a change is made only to what the client has read.

The tag is compared with that of what GET of the same address answers now, in one snapshot with the write (PostgreSQL's
REPEATABLE READ): where another write comes in between, the database refuses ours, and that is a 412 as well. So no view and
no action knows of conditions, and none takes a lock in another order than usual.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg2.errorcodes import SERIALIZATION_FAILURE
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.api.etags import passes_if_match, passes_if_none_match, tag_of
from makerlog.api.exceptions import PreconditionFailed

METHODS = ("PUT", "PATCH", "DELETE")
NOTHING = ""  # the tag of what cannot be read: no condition but ``*`` holds of it

Handler = Callable[..., Response]


def is_conditional(request: Request) -> bool:
    return request.method in METHODS and not {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"}.isdisjoint(request.META)


def apply_to(handler: Handler, view: Any) -> Handler:
    """``handler``, which is called only where the request's conditions hold; raises PreconditionFailed where not."""

    def handle(request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            with snapshot():
                tag = current_tag(view, request, *args, **kwargs)
                if not passes_if_match(request, tag) or not passes_if_none_match(request, tag):
                    raise PreconditionFailed
                return handler(request, *args, **kwargs)
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) == SERIALIZATION_FAILURE:
                raise PreconditionFailed from error
            raise

    return handle


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that sees all rows as they are at its first statement, and changes none that was changed since."""
    is_outermost = not connection.in_atomic_block  # a test is a transaction of its own, which has begun long ago
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def current_tag(view: Any, request: Request, *args: Any, **kwargs: Any) -> str:
    """The ETag that GET of the same address would have for this caller; NOTHING where nobody reads there. Raises what GET
    raises: what the caller may not know of is a 404, whatever the condition."""
    read = getattr(view, "get", None)
    if read is None or view.price == "write":
        return NOTHING
    action = getattr(view, "action", None)
    try:
        if action is not None:
            view.action = view.action_map["get"]
        response = read(request, *args, **kwargs)
    finally:
        if action is not None:
            view.action = action
    context = {"view": view, "request": request, "response": response}
    return tag_of(view.get_renderers()[0].render(response.data, None, context))
