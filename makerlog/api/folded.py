"""Columns that hold what ``text.fold`` gave for another column of their row: what is looked up and unique is that."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, models, transaction

from makerlog.api.purging import ROUND
from makerlog.api.recounting import Difference
from makerlog.api.text import fold


class FoldedField(models.TextField):
    """``fold`` of the column ``source``, set whenever the row is saved. NULL: the release before wrote it, which knows of no
    such column; ``fill`` sets it within a minute."""

    def __init__(self, source: str = "", **kwargs: Any) -> None:
        self.source = source
        super().__init__(**{"null": True, "editable": False, **kwargs})

    def deconstruct(self) -> Any:
        name, path, arguments, values = super().deconstruct()
        return name, path, arguments, {**values, "source": self.source}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = fold(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, key)
        return key


def folded_fields(model: type[models.Model]) -> list[FoldedField]:
    return [field for field in model._meta.concrete_fields if isinstance(field, FoldedField)]


def with_folded(model: type[models.Model], fields: Iterable[str]) -> list[str]:
    """``fields`` that are to be saved, and those that hold what is folded of them."""
    names = list(fields)
    return [*names, *(field.name for field in folded_fields(model) if field.source in names)]


def fill(field: FoldedField) -> int:
    """Sets the column where it is NULL: in how many rows. One whose name somebody else has by now stays as it is."""
    rows = field.model._base_manager.filter(**{field.name: None})
    return sum(is_filled(field, row) for row in rows.order_by("pk")[:ROUND])


def is_filled(field: FoldedField, row: models.Model) -> bool:
    try:
        with transaction.atomic():
            row.save(update_fields=[field.name])
    except IntegrityError:
        return False
    return True


@dataclass(frozen=True)
class Folded:
    """The comparison of such a column with its source: see recounting.py."""

    field: FoldedField
    batch: int = 10_000

    @property
    def name(self) -> str:
        return f"folded {self.field.source} of {self.field.model._meta.model_name}"

    @property
    def table(self) -> str:
        return self.field.model._meta.db_table

    def wrong(self, low: int, high: int) -> list[Difference]:
        rows = self.field.model._base_manager.filter(pk__range=(low, high)).order_by("pk")
        named = rows.values_list("pk", self.field.source, self.field.name)
        return [Difference(pk, str(key), fold(name)) for pk, name, key in named if key != fold(name)]

    def mend(self, ids: list[int]) -> None:
        rows = self.field.model._base_manager.select_for_update(no_key=True)
        for row in rows.filter(pk__in=ids).order_by("pk"):
            is_filled(self.field, row)
