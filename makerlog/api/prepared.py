"""Statements that PostgreSQL plans once for each connection, and from then on only fills in.

To plan a page takes it two to four times as long as to read one. What comes again on a connection is prepared there, under a
name of its own, and executed by it. Not through a pooler that gives each transaction another connection (DATABASE_POOLED).
"""

import itertools
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError, NotSupportedError, ProgrammingError
from django.db.models import QuerySet
from psycopg2.errorcodes import INVALID_SQL_STATEMENT_NAME
from psycopg2.extensions import AsIs

from makerlog.api import reader
from makerlog.api.columns import Condition
from makerlog.api.statements import Template, Written, statements, written
from makerlog.gate.fibres import Own

logger = logging.getLogger("makerlog.prepared")

WORTH = 3  # uses on one connection, before a statement is prepared there
NEVER = float("-inf")
MOST = 64  # on one connection: each takes PostgreSQL some 100 KB

names = map("makerlog_{}".format, itertools.count(1))


class Plans:
    """What one connection, of a thread or a fibre, has prepared. ``names``: by template, those used last. ``uses``: of the
    others, as long as anybody knows them; NEVER of those that cannot be prepared."""

    def __init__(self) -> None:
        self.begin(None)

    def begin(self, connection: Any) -> None:
        self.connection = connection
        self.uses: WeakKeyDictionary[Template, float] = WeakKeyDictionary()
        self.names: OrderedDict[Template, str] = OrderedDict()

    def fetched(self, template: Template, values: Sequence[Any]) -> list[Any]:
        """All rows of ``template``, filled in with ``values``."""
        with reader.cursor() as cursor:
            if not (settings.PREPARED_STATEMENTS and self.execute(cursor, template, values)):
                cursor.execute(*template.filled(values))
            return cursor.fetchall()

    def execute(self, cursor: Any, template: Template, values: Sequence[Any]) -> bool:
        """Whether it is prepared, and was executed. A refusal ends the transaction that it comes in; outside of one it costs
        the plan alone."""
        try:
            name = self.name_of(cursor, template)
            if name:
                cursor.execute(*called(name, template, values))
            return bool(name)
        except DatabaseError as error:
            if not is_refused(error):
                raise
            self.names.pop(template, None)
            self.uses[template] = NEVER
            if reader.in_transaction():
                raise
            logger.warning("Goes on unprepared: %s (%s)", template.sql[:200], error)
            return False

    def name_of(self, cursor: Any, template: Template) -> str:
        """The name under which ``template`` is prepared; "" where it is not, or not yet."""
        if self.connection is not cursor.connection:
            self.begin(cursor.connection)
        name = self.names.get(template, "")
        if name:
            self.names.move_to_end(template)
        elif self.is_worth_it(template):
            self.make_room(cursor)
            name = next(names)
            cursor.execute(*preparation(cursor, name, template))
            self.names[template] = name
        return name

    def make_room(self, cursor: Any) -> None:
        """For one more: whoever asks for ever other things must not take from all others what they use."""
        while len(self.names) >= MOST:
            template, name = next(iter(self.names.items()))
            cursor.execute(f"DEALLOCATE {name}")
            del self.names[template]
            self.uses.pop(template, None)

    def is_worth_it(self, template: Template) -> bool:
        self.uses[template] = uses = self.uses.get(template, 0) + 1
        return uses >= WORTH


def preparation(cursor: Any, name: str, template: Template) -> tuple[str, None]:
    """What is not filled in stands in it."""
    numbers = {value: AsIs(f"${number}") for number, value in enumerate(template.values, 1)}
    places = [fixed if value is None else numbers[value] for value, fixed in template.places]
    return f"PREPARE {name} AS {cursor.mogrify(template.sql, places).decode()}", None


def called(name: str, template: Template, values: Sequence[Any]) -> tuple[str, list[Any]]:
    given = [values[place] for place in template.values]
    return (f"EXECUTE {name} ({', '.join(['%s'] * len(given))})" if given else f"EXECUTE {name}"), given


def is_refused(error: DatabaseError) -> bool:
    """Whether it is about the statement and not about the values: one that cannot be prepared, whose table has changed since,
    or whose name is known no more, as behind a pooler that nobody told us of."""
    forgotten = getattr(error.__cause__, "pgcode", None) == INVALID_SQL_STATEMENT_NAME
    return forgotten or isinstance(error, NotSupportedError | ProgrammingError)


mine = Own(Plans)


def looked_up(rows: QuerySet[Any], condition: Condition, *columns: str) -> Any:
    """Those columns of the first row that ``condition`` finds among ``rows``, a queryset that was made once for all requests;
    None where there is none."""

    def write(values: Sequence[Any]) -> Written:
        return written(rows.filter(condition.made(*values)).values_list(*columns)[:1])

    template = statements.template((rows, condition.name, columns), condition.values, write)
    return next(iter(fetched(template, condition.values)), None)


def fetched(template: Template, values: Sequence[Any]) -> list[Any]:
    """All rows of ``template``, filled in with ``values``."""
    return mine().fetched(template, values)
