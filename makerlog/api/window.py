"""A queryset read from a subquery: ``SELECT ... FROM (window) WHERE ...``.

The ORM can only say ``id IN (window)``, and then the planner is free to read the whole table and look the window up in
it. Reading FROM the window is what bounds the rows looked at, whatever the planner's statistics say.
"""

from typing import Any

from django.db.models import QuerySet
from django.db.models.sql.datastructures import BaseTable


class WindowTable(BaseTable):
    """The rows of ``window`` under the name of the table they came from."""

    def __init__(self, table_name: str, alias: Any, window: QuerySet[Any]) -> None:
        super().__init__(table_name, alias)
        self.window = window

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = self.window.query.get_compiler(connection=connection).as_sql()
        return f"({sql}) {compiler.quote_name_unless_alias(self.table_alias)}", params

    def relabeled_clone(self, change_map: Any) -> "WindowTable":
        return type(self)(self.table_name, change_map.get(self.table_alias, self.table_alias), self.window)


def read_from(queryset: QuerySet[Any], window: QuerySet[Any]) -> QuerySet[Any]:
    """``queryset``, looking at the rows of ``window`` (a sliced queryset of the same model) only."""
    columns = [column.attname for column in queryset.model._meta.concrete_fields]
    plain = window.select_related(None).prefetch_related(None).only(*columns)
    queryset = queryset.all()
    alias = queryset.query.get_initial_alias()
    queryset.query.alias_map[alias] = WindowTable(queryset.model._meta.db_table, alias, plain)
    return queryset
