"""What actions read within their transactions, by SQL that is written once and not prepared: a statement that is refused
would end the transaction with it."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.transaction import TransactionManagementError

from makerlog.api.reader import rows_of
from makerlog.api.statements import Written, statements, written

M = TypeVar("M", bound=Model)


def fetched(key: Hashable, values: Sequence[Any], rows: Callable[[Sequence[Any]], QuerySet[Any, Any]]) -> list[Any]:
    """The rows that ``rows`` makes of ``values``, which it may not look at otherwise (see Statements.template)."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("What is read here is written on, or locked: within a transaction.")

    def write(given: Sequence[Any]) -> Written:
        return written(rows(given))

    return rows_of(*statements.template(key, values, write).filled(values))


def instances(
    model: type[M], key: Hashable, values: Sequence[Any], rows: Callable[[Sequence[Any]], QuerySet[M]]
) -> list[M]:
    """The same as instances, all their columns. No column of ``model`` needs to be made Python's."""
    names = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in fetched(key, values, rows)]
