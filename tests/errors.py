"""The one error shape, asserted in one place."""

from typing import Any

from makerlog.gate.codes import CODES


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """``{"detail", "code"}`` and nothing else, as JSON, with a request id."""
    body = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    assert str(status) in CODES[code][0]
    assert set(body) == {"detail", "code"}
    assert body["detail"]
    assert response["Content-Type"] == "application/json"
    assert response["X-Request-Id"]
    return body


def assert_invalid(response: Any, *fields: str) -> dict[str, Any]:
    """A 400 that says what is wrong with each of ``fields``, in lists of text."""
    body = response.json()
    assert response.status_code == 400, body
    assert set(body) == set(fields)
    assert all(isinstance(reason, str) for reasons in body.values() for reason in reasons)
    return body


def assert_rejected(response: Any, code: str) -> str:
    """A 400 that no field is to blame for, in the shape of wrong fields: what it says."""
    body = response.json()
    assert (response.status_code, set(body), body.get("code")) == (400, {"non_field_errors", "code"}, code), body
    assert code in CODES
    [said] = body["non_field_errors"]
    return str(said)
