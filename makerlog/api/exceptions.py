"""The errors that views raise, beside DRF's own."""

from rest_framework import status
from rest_framework.exceptions import APIException, Throttled, ValidationError

RETRY_AFTER_S = 2


class Busy(APIException):
    """No room, or a part of the service is away: try again after ``Retry-After`` seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is busy. Try again in a moment."
    default_code = "busy"
    wait = RETRY_AFTER_S


class TooOften(Throttled):
    """A limit is used up: ``wait`` is in how many seconds to come back."""

    def __init__(self, detail: str, wait: int) -> None:
        super().__init__(detail=detail)
        self.wait = wait


class Rejected(ValidationError):
    """A 400 that no field is to blame for, in the shape of wrong fields, as old apps expect it, and with a code beside."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__({"non_field_errors": [detail]}, code)
        self.code = code


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "That conflicts with what is there already."
    default_code = "conflict"


class ConflictForNow(Conflict):
    """The same request may well succeed after ``Retry-After`` seconds."""

    wait = 1


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It is not what you read: its ETag is another than your condition names. Read it again."
    default_code = "precondition_failed"


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than this endpoint takes."
    default_code = "body_too_large"


class OverQuota(APIException):
    """A maker's files take all that they may."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "media_quota"


class DiskFull(APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = "There is no room for files just now. Everything else works; we have been told."
    default_code = "disk_full"


class BadParameter(APIException):
    """A query parameter or header that cannot be used."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_parameter"
