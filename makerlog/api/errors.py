"""One shape for every error: ``{"detail", "code"}``, or ``{"field": [...]}`` where fields are wrong.

``Accept: application/problem+json`` gets the same as RFC 9457.
"""

import logging
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg2.errorcodes import (
    CLASS_CONFIGURATION_FILE_ERROR,
    CLASS_CONNECTION_EXCEPTION,
    CLASS_INSUFFICIENT_RESOURCES,
    CLASS_INTERNAL_ERROR,
    CLASS_OPERATOR_INTERVENTION,
    CLASS_SYSTEM_ERROR,
    DEADLOCK_DETECTED,
    LOCK_NOT_AVAILABLE,
    QUERY_CANCELED,
    READ_ONLY_SQL_TRANSACTION,
    SERIALIZATION_FAILURE,
)
from psycopg2.errors import ForeignKeyViolation
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from makerlog.api.exceptions import RETRY_AFTER_S, BodyTooLarge, Busy, Conflict, Rejected
from makerlog.api.waiting import DatabaseUnavailable
from makerlog.gate.answers import Refusal

logger = logging.getLogger("makerlog.errors")

PROBLEM = "application/problem+json"
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}
TOO_SLOW = {QUERY_CANCELED, LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, SERIALIZATION_FAILURE}
# SQLSTATEs of a server that is away, stopping, full or damaged: nothing that a request asked for.
OUTAGES = {
    CLASS_CONNECTION_EXCEPTION,
    CLASS_INSUFFICIENT_RESOURCES,
    CLASS_OPERATOR_INTERVENTION,
    CLASS_SYSTEM_ERROR,
    CLASS_CONFIGURATION_FILE_ERROR,
    CLASS_INTERNAL_ERROR,
}
FORBIDDEN = {"detail": "You may not do this.", "code": "permission_denied"}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: whatever a view raises, in the one shape. ``None`` for a fault of ours."""
    error = translated(error)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    response.data = error_body(error)
    if wants_problem(context["request"]):
        response.data = as_problem(response.data, response.status_code)
        response.content_type = PROBLEM
    return response


def translated(error: Exception) -> Exception:
    """Django's and the driver's exceptions in the API's terms."""
    if is_outage(error):
        return database_fault(error)
    if isinstance(error, RequestDataTooBig):
        return BodyTooLarge()
    if isinstance(error, IntegrityError) and isinstance(error.__cause__, ForeignKeyViolation):
        return Conflict("What this belongs to was deleted at the same moment.", "gone_meanwhile")
    if isinstance(error, ObjectDoesNotExist):  # it was there when the view began
        return Http404()
    if isinstance(error, SuspiciousOperation | BadRequest):
        return exceptions.ParseError(str(error) or None)
    return error


def database_fault(error: Exception) -> Busy:
    """PostgreSQL said that this takes too long, or that it cannot, or said nothing."""
    said = " ".join(str(error).split())  # in one line of the log
    if is_too_slow(error):
        logger.warning("The database took too long: %s", said)
        return Busy("The database took too long over this. Try again in a moment.", "database_slow")
    logger.error("The database does not answer: %s", said)
    return Busy(DatabaseUnavailable.detail, DatabaseUnavailable.code)


def is_outage(error: BaseException | None) -> bool:
    """Whether the database could not do what was asked, whatever that was. Our own mistakes in SQL are none."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, DatabaseError) and (is_read_only(error) or sqlstate(error)[:2] in OUTAGES)


def is_read_only(error: BaseException) -> bool:
    """Whether a write came to a server that takes none: after a failover, or with its disk full."""
    return sqlstate(error) == READ_ONLY_SQL_TRANSACTION


def sqlstate(error: BaseException) -> str:
    """Five characters; "" where PostgreSQL itself said nothing."""
    return getattr(error.__cause__, "pgcode", None) or ""


def is_too_slow(error: Exception) -> bool:
    """Whether PostgreSQL itself gave up a statement, over its time or over a lock."""
    return sqlstate(error) in TOO_SLOW


def error_body(error: Exception) -> dict[str, Any]:
    if isinstance(error, Rejected):
        return {**error.detail, "code": error.code}  # type: ignore[dict-item]
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        return detail if isinstance(detail, dict) else {"non_field_errors": detail}
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        return {"detail": str(error.detail), "code": codes if isinstance(codes, str) else error.default_code}
    if isinstance(error, Http404):
        return dict(NOT_FOUND)
    return dict(FORBIDDEN)


def wants_problem(request: Any) -> bool:
    return PROBLEM in request.META.get("HTTP_ACCEPT", "")


def as_problem(body: dict[str, Any], status_code: int) -> dict[str, Any]:
    """RFC 9457: the same facts under its own names; ``errors`` holds what is wrong field by field."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
    }
    if set(body) == {"detail", "code"}:
        return problem | body
    errors = {name: reasons for name, reasons in body.items() if not isinstance(reasons, str)}
    code = body["code"] if isinstance(body.get("code"), str) else "invalid"
    return problem | {"detail": "Some fields are not valid.", "code": code, "errors": errors}


def json_error(request: HttpRequest, status_code: int, detail: str, code: str) -> HttpResponse:
    """The one shape, outside DRF."""
    body: dict[str, Any] = {"detail": detail, "code": code}
    problem = wants_problem(request)
    response = HttpResponse(
        orjson.dumps(as_problem(body, status_code) if problem else body),
        content_type=PROBLEM if problem else "application/json",
        status=status_code,
    )
    if status_code == status.HTTP_503_SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A refusal of the gate's, given by Django."""
    answer = refusal.answer(request.request_id)  # type: ignore[attr-defined]
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    response = HttpResponse(answer.body, status=answer.status, headers=headers)
    # Django would log each as an error or a warning of the view's; a flood of what was meant must not write the log.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class JsonErrorMiddleware:
    """What views outside DRF raise (the admin's too, for an absent database) still becomes a clear 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return busy(request, error)


def busy(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """A 503 for a database that is slow or away; None for anything else."""
    fault = translated(error) if isinstance(error, Exception) and is_outage(error) else error
    if not isinstance(fault, Busy):
        return None
    return json_error(request, fault.status_code, str(fault.detail), str(fault.get_codes()))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return json_error(request, 413, str(BodyTooLarge.default_detail), BodyTooLarge.default_code)
    return json_error(request, 400, "The request cannot be understood.", "bad_request")


def permission_denied(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    return json_error(request, 403, **FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return json_error(request, 404, **NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Also for what other middleware raise, which process_exception never sees: a session that cannot be saved."""
    if response := busy(request, sys.exception()):
        response._has_been_logged = True  # type: ignore[attr-defined]  # said in one line already; Django adds a traceback
        return response
    request_id = getattr(request, "request_id", "unknown")
    return json_error(request, 500, f"Something broke on our side. Tell us this id: {request_id}.", "server_error")
