"""Serializers as they are read: a list of columns and a plain builder, made once of each class.

``compiled(TaskSerializer).of(queryset, reader)`` is what the serializer itself would say of those rows, many times as fast.
What cannot be said in columns is refused by name when the service starts (checks.py, E010):

* A field shows a column of its row, or of one that its row refers to; or what the model derives from such (derived.py).
* Rows that hang on a row are declared as a ``Part`` in ``Meta.parts``, and fetched for the whole page in one statement.
* A serializer with ``kept`` says the same to every reader: its bytes are made once of each version of a row (kept.py).
* One with ``through`` shows, instead of its row, what that refers to.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.fields import Field

from makerlog.api.audience import audience_of
from makerlog.api.columns import AnyOf, Asked, JsonArray, Number, RowVersion
from makerlog.api.derived import Derived
from makerlog.api.kept import Said, Shelf
from makerlog.api.prepared import plans
from makerlog.api.statements import Written, statements, united

Path = tuple[str, ...]
Row = Sequence[Any]


class CannotCompile(Exception):
    """Names the field and says why."""


@dataclass(frozen=True)
class Part:
    """Rows that hang on those that are shown, a few on each. ``rows``: those that a reader may see, of whom nothing counts
    but what an Audience holds. ``by``: the path from them to the row that they hang on. ``value``: of a list of plain
    values, the column shown."""

    rows: Callable[[Any], QuerySet[Any]]
    by: str
    value: str = ""


class Hung(NamedTuple):
    """What was fetched for a page beside its rows: of each part, by the id of the row; and what is kept, by its own id."""

    parts: dict[str, dict[int, list[Any]]]
    kept: dict[int, orjson.Fragment]


NOTHING = Hung({}, {})
Make = Callable[[Row, Hung], Any]


class Through(serializers.ModelSerializer):
    """Shows, instead of its row, what that refers to as ``through``. First among the bases of the serializer of that."""

    through: str

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(getattr(instance, self.through))


class Columns:
    """What is asked of each row, once however many fields show it."""

    def __init__(self, model: type[Model], prefix: Path = ()) -> None:
        self.model = model
        self.prefix = prefix
        self.asked: dict[Hashable, Any] = {}

    def place(self, path: Path, expression: Callable[[F], Any] | None = None) -> int:
        """Where in the row the column at ``path`` will stand."""
        if path[-1] == "pk":
            path = (*path[:-1], key_of(self.model_at(path[:-1])).attname)
        name = "__".join((*self.prefix, *path))
        self.asked.setdefault((name, expression), F(name) if expression is None else expression(F(name)))
        return list(self.asked).index((name, expression))

    def model_at(self, path: Path) -> type[Model]:
        model = self.model
        for step in path:
            field: Any = model._meta.get_field(step)
            model = field.related_model
        return model


class Compiled:
    """One serializer class. ``columns``: what to ask of a row. ``build``: what they say, in the serializer's words."""

    def __init__(self, serializer_class: Any) -> None:
        self.serializer_class = serializer_class
        through = getattr(serializer_class, "through", "")
        model = getattr(getattr(serializer_class, "Meta", None), "model", None)
        if model is None:
            raise CannotCompile(f"{serializer_class.__name__} is of no model.")
        self._columns = Columns(model, (through,) if through else ())
        self.pk = self._columns.place(("pk",))
        self.parts: dict[str, tuple[Part, Compiled | None]] = {}
        self.kept: list[Keeping] = []
        self.build = self._kept_row() if keeps(serializer_class) else self._row(serializer_class())
        self.columns = Asked(self._columns.asked.values())

    # --- Compiling ---

    def _kept_row(self) -> Make:
        keeping = self._keeping(self.serializer_class, ())
        return lambda row, hung: hung.kept[row[keeping.place]]

    def _row(self, serializer: Any) -> Make:
        fields = {name: field for name, field in serializer.fields.items() if not field.write_only}
        return written_out({name: self._named(name, field) for name, field in fields.items()})

    def _named(self, name: str, field: Field) -> "Found":
        try:
            return self._field(name, field)
        except CannotCompile as error:
            raise CannotCompile(f"{self.serializer_class.__name__}.{name} cannot be compiled: {error}") from None

    def _field(self, name: str, field: Any) -> "Found":
        """The place of the column that ``field`` shows as it is, or how what it says is made."""
        if hasattr(field, "constant"):
            return Always(field.constant)
        if part := getattr(self.serializer_class.Meta, "parts", {}).get(name):
            return self._part(name, field, part)
        if isinstance(field, serializers.BaseSerializer):
            return self._nested(field)
        return self._column(field)

    def _part(self, name: str, field: Any, part: Part) -> Make:
        inner = compiled(type(field.child)) if isinstance(field.child, serializers.BaseSerializer) else None
        if inner is not None and (inner.parts or inner.kept):
            raise CannotCompile("on what hangs on a row, nothing more can hang.")
        self.parts[name] = (part, inner)
        pk = self.pk
        return lambda row, hung: hung.parts[name].get(row[pk], [])

    def _nested(self, field: Any) -> Make:
        if not keeps(type(field)):
            raise CannotCompile("what is nested must be `kept`, or declared as a Part in Meta.parts.")
        place = self._keeping(type(field), tuple(field.source_attrs)).place
        return lambda row, hung: hung.kept[row[place]]

    def _keeping(self, serializer_class: Any, path: Path) -> "Keeping":
        form = kept_form(serializer_class)
        if any(each.form is not form for each in self.kept):
            raise CannotCompile("one kind of row is kept; this is a second.")
        version = self._columns.place((*path, form.witness), RowVersion)
        self.kept.append(Keeping(form, self._columns.place((*path, "pk")), version))
        return self.kept[-1]

    def _column(self, field: Any) -> int | Make:
        path = tuple(field.source_attrs)
        model = said_of(field, self._columns, path[:-1])
        if isinstance(getattr(model, path[-1], None), Derived):
            return self._derived(field, path)
        column = column_of(model, path[-1])
        if hook := getattr(field, "compiled", None):
            expression, make = hook(column)
            place = self._columns.place(path, expression)
            return place if make is None else (lambda row, hung: make(row[place]))
        require_plain(field, column)
        return self._columns.place(path)

    def _derived(self, field: Any, path: Path) -> Make:
        value_of, said = derivation(self._columns, path), field.to_representation

        def make(row: Row, hung: Hung) -> Any:
            value = value_of(row)
            return None if value is None else said(value)

        return make

    # --- Reading ---

    def of(self, queryset: QuerySet[Any], reader: Any) -> list[Any]:
        """What the rows of ``queryset`` say to ``reader``, in at most two statements."""
        return self.shown(list(queryset.values_list(*self.columns)), reader)

    def shown(self, rows: Sequence[Row], reader: Any) -> list[Any]:
        """What ``rows``, of ``columns``, say to ``reader``, in at most one statement more."""
        wanted = self._referred_to(rows)
        hung = self._hung(rows, wanted, reader)
        if not hung.kept.keys() >= wanted.keys():
            # Who is referred to may have been erased between the two statements, and the row with them.
            rows = [row for row in rows if all(row[keeping.place] in hung.kept for keeping in self.kept)]
        build = self.build
        return [build(row, hung) for row in rows]

    def _referred_to(self, rows: Sequence[Row]) -> dict[int, str]:
        """The version of each row that is kept and shown, by its id: of a maker of ten tasks, once."""
        return {row[place]: row[version] for _, place, version in self.kept for row in rows}

    def _hung(self, rows: Sequence[Row], wanted: dict[int, str], reader: Any) -> Hung:
        kept = self.kept[0].form.shelf.known(wanted.items()) if wanted else {}
        return self._fetch(rows, sorted(wanted.keys() - kept.keys()), kept, reader)

    def _fetch(self, rows: Sequence[Row], unknown: list[int], kept: dict[int, orjson.Fragment], reader: Any) -> Hung:
        found: list[dict[int, list[Any]]] = [{} for _ in self.parts]
        for number, owner, text in self._hanging(rows, unknown, reader):
            if number < len(found):
                found[number].setdefault(owner, []).append(orjson.loads(text))
            else:
                kept[owner] = self.kept[0].form.keep(orjson.loads(text))
        parts = zip(self.parts.items(), found, strict=True)
        return Hung({name: part_shown(inner, rows) for (name, (_, inner)), rows in parts}, kept)

    def _hanging(self, rows: Sequence[Row], unknown: list[int], reader: Any) -> list[tuple[int, int, str]]:
        """The number of a part, the id of the row, and what hangs on it; then, under the next number, what is to be kept."""
        ids = [row[self.pk] for row in rows] if self.parts else []
        if not (ids or unknown):
            return []
        audience = audience_of(reader)

        def write(values: Sequence[Any]) -> Written:
            return self._written(audience.with_id(values[2]), values[0] if ids else [], values[1] if unknown else [])

        key = (self.serializer_class, audience.kind, bool(ids), bool(unknown))
        values = [ids, unknown, audience.pk]
        return plans.fetched(statements.template(key, values, write), values)

    def _written(self, reader: Any, ids: list[int], unknown: list[int]) -> Written:
        pieces = []
        for number, (part, inner) in enumerate(self.parts.values() if ids else ()):
            rows = part.rows(reader).order_by().filter(Q(AnyOf(part.by, ids)))
            columns = inner.columns if inner else [F("pk"), F(part.value)]
            pieces.append(rows.values_list(Number(number), F(part.by), JsonArray(*columns)))
        if unknown:
            pieces.append(self.kept[0].form.asked(unknown, number=len(self.parts)))
        return united(pieces)


class Always(NamedTuple):
    """Says the same of every row."""

    said: Any


Found = int | Always | Make


def written_out(fields: dict[str, Found]) -> Make:
    """A builder of ``{name: what is found}``, written as one would by hand, ``{"id": row[0], ...}``: half the time of a loop
    over names. Made of field names and numbers, and of nothing else."""
    known: dict[str, Any] = {}
    pairs = []
    for number, (name, found) in enumerate(fields.items()):
        known[f"f{number}"] = found.said if isinstance(found, Always) else found
        how = f"f{number}" if isinstance(found, Always) else f"f{number}(row, hung)"
        pairs.append(f"{name!r}: {f'row[{found}]' if isinstance(found, int) else how}")
    return eval(f"lambda row, hung: {{{', '.join(pairs)}}}", known)  # noqa: S307


class Kept:
    """The form of a serializer class with ``kept``, which names what its model derives from its columns: since and until
    when they say what they say."""

    def __init__(self, serializer_class: Any) -> None:
        plain = type(serializer_class.__name__, (serializer_class,), {"kept": ""})
        self.inner = Compiled(plain)
        if self.inner.parts or self.inner.kept:
            raise CannotCompile(f"{serializer_class.__name__} is kept, so nothing can hang on it.")
        self.shelf = Shelf()
        self.lasts = derivation(self.inner._columns, (serializer_class.kept,))
        self.columns = list(self.inner._columns.asked.values())
        # Any column but the key, which the ORM would read off the row that refers to this one.
        self.witness = next(
            each.attname for each in self.inner._columns.model._meta.concrete_fields if not each.primary_key
        )

    def asked(self, ids: list[int], *, number: int) -> QuerySet[Any]:
        model: Any = self.inner._columns.model
        columns = JsonArray(RowVersion(F("pk")), *self.columns)
        return model._base_manager.filter(Q(AnyOf("pk", ids))).values_list(Number(number), F("pk"), columns)

    def keep(self, values: list[Any]) -> orjson.Fragment:
        """``values``: a version, and the columns."""
        version, *row = values
        fragment = orjson.Fragment(orjson.dumps(self.inner.build(row, NOTHING)))
        since, until = self.lasts(row)
        self.shelf.put(row[self.inner.pk], Said(version, since, until, fragment))
        return fragment


class Keeping(NamedTuple):
    """Where in a row stand the id of what is kept, and its version."""

    form: Kept
    place: int
    version: int


def compiled(serializer_class: Any) -> Compiled:
    """Made once. CannotCompile names what is in the way."""
    return compiled_once(serializer_class)


@cache
def compiled_once(serializer_class: Any) -> Compiled:
    return Compiled(serializer_class)


def kept_form(serializer_class: Any) -> Kept:
    """One for the class that says ``kept``, whatever is derived from it."""
    return kept_once(next(each for each in serializer_class.__mro__ if "kept" in vars(each)))


@cache
def kept_once(serializer_class: Any) -> Kept:
    return Kept(serializer_class)


def key_of(model: type[Model]) -> Any:
    return model._meta.pk


def keeps(serializer_class: Any) -> bool:
    return bool(getattr(serializer_class, "kept", ""))


def part_shown(inner: Compiled | None, rows: dict[int, list[Any]]) -> dict[int, list[Any]]:
    """Of each row, what hangs on it, in the order of its ids, which come first."""
    for each in rows.values():
        each.sort(key=itemgetter(0))
    if inner is None:
        return {owner: [values[1] for values in each] for owner, each in rows.items()}
    return {owner: [inner.build(values, NOTHING) for values in each] for owner, each in rows.items()}


def derivation(columns: Columns, path: Path) -> Callable[[Row], Any]:
    """What a model derives, from a row of ``columns``: on a bare instance that holds what was declared and nothing else."""
    model = columns.model_at(path[:-1])
    source: Any = getattr(model, path[-1])
    fields = [column_of(model, name) for name in source.columns]
    places = [columns.place((*path[:-1], field.attname)) for field in fields]

    def value_of(row: Row) -> Any:
        instance = object.__new__(model)
        for field, place in zip(fields, places, strict=True):
            instance.__dict__[field.attname] = field.to_python(row[place])
        return source.fget(instance)

    return value_of


def said_of(field: Field, columns: Columns, path: Path) -> type[Model]:
    """The model that ``field`` reads a column of."""
    if type(field).get_attribute is not Field.get_attribute or "*" in (field.source or ""):
        raise CannotCompile("it reads its row in a way of its own; give it a `source`, or a `constant`.")
    try:
        return columns.model_at(path)
    except (FieldDoesNotExist, AttributeError):
        raise CannotCompile(f"{'.'.join(path)} leads to no row.") from None


def column_of(model: type[Model], name: str) -> Any:
    """By name or attname."""
    for field in model._meta.concrete_fields:
        if name in (field.name, field.attname):
            return field
    raise CannotCompile(
        f"{model.__name__}.{name} is no column; declare the columns it is derived from (makerlog.api.derived),"
        " or what hangs on the row as a Part in Meta.parts."
    )


# Fields that say what their column holds, and the columns that hold it as they say it.
PLAIN: tuple[tuple[type[Field], tuple[type[models.Field], ...]], ...] = (
    (serializers.BigIntegerField, (models.IntegerField, models.ForeignKey)),
    (serializers.IntegerField, (models.IntegerField, models.ForeignKey)),
    (serializers.BooleanField, (models.BooleanField,)),
    (serializers.ChoiceField, (models.CharField,)),
    (serializers.CharField, (models.CharField, models.TextField)),
    (serializers.ListField, (ArrayField,)),
)


def require_plain(field: Field, column: models.Field) -> None:
    for kind, columns in PLAIN:
        if isinstance(field, kind) and isinstance(column, columns):
            if type(field).to_representation is kind.to_representation:
                return
            raise CannotCompile("it has a to_representation of its own; say in `compiled` what that asks and makes.")
    raise CannotCompile(f"{type(field).__name__} does not say what {type(column).__name__} holds.")
