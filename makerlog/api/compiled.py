"""Serializers as they are read: a list of columns and a plain builder, made once of each class.

``compiled(TaskSerializer).of(queryset, reader)`` is what the serializer itself would say of those rows, many times as fast.
What cannot be said in columns is refused by name when the service starts (checks.py, E010):

* A field shows a column of its row, or of one that its row refers to; or what the model derives from such (derived.py).
* Rows that hang on a row are declared as a ``Part`` in ``Meta.parts``, and come with it as one column each.
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
from django.db.models import F, Model, OuterRef, Q, QuerySet, Subquery
from rest_framework import serializers
from rest_framework.fields import Field

from makerlog.api.audience import audience_of
from makerlog.api.columns import AnyOf, Asked, JsonArray, JsonRows, RowVersion, asked_by_all
from makerlog.api.derived import Derived
from makerlog.api.kept import Said, Shelf
from makerlog.api.prepared import fetched
from makerlog.api.statements import Written, statements, written
from makerlog.gate.answers import fitted

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


class Hanging(NamedTuple):
    """A part among the columns. ``inner``: the form of its rows; None: a plain value. ``owner``: the path to the id of the
    row that it hangs on."""

    part: Part
    inner: "Compiled | None"
    owner: str

    def to(self, reader: Any) -> Subquery:
        columns = self.inner.plain if self.inner else [F("pk"), F(self.part.value)]
        rows = self.part.rows(reader).order_by().filter(**{self.part.by: OuterRef(self.owner)})
        return Subquery(rows.values_list(JsonRows(*columns)))

    def shown(self, text: str) -> list[Any]:
        """In the order of their ids, which come first."""
        rows = orjson.loads(text)
        if len(rows) > 1:
            rows.sort(key=itemgetter(0))
        return [row[1] for row in rows] if self.inner is None else [self.inner.build(row, {}) for row in rows]


Kept = dict[int, orjson.Fragment]  # what is kept of the rows that a page refers to, by their ids
Make = Callable[[Row, Kept], Any]


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
        name = self.name_of(path)
        return self.place_of((name, expression), F(name) if expression is None else expression(F(name)))

    def place_of(self, key: Hashable, column: Any) -> int:
        self.asked.setdefault(key, column)
        return list(self.asked).index(key)

    def name_of(self, path: Path) -> str:
        return "__".join((*self.prefix, *path))

    def model_at(self, path: Path) -> type[Model]:
        model = self.model
        for step in path:
            field: Any = model._meta.get_field(step)
            model = field.related_model
        return model


class Compiled:
    """One serializer class. ``plain``: the columns asked of a row, and what hangs on it (Hanging) among them. ``build``: what
    they say, in the serializer's words."""

    def __init__(self, serializer_class: Any) -> None:
        self.serializer_class = serializer_class
        through = getattr(serializer_class, "through", "")
        model = getattr(getattr(serializer_class, "Meta", None), "model", None)
        if model is None:
            raise CannotCompile(f"{serializer_class.__name__} is of no model.")
        self._columns = Columns(model, (through,) if through else ())
        self.pk = self._columns.place(("pk",))
        self.kept: list[Keeping] = []
        self.build = self._kept_row() if keeps(serializer_class) else self._row(serializer_class())
        self.plain = [*self._columns.asked.values()]
        self.has_parts = any(isinstance(each, Hanging) for each in self.plain)

    # --- Compiling ---

    def _kept_row(self) -> Make:
        place = self._keeping(self.serializer_class, ()).place
        return lambda row, kept: kept[row[place]]

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

    def _part(self, name: str, field: Any, part: Part) -> "Of":
        inner = compiled(type(field.child)) if isinstance(field.child, serializers.BaseSerializer) else None
        if inner is not None and (inner.has_parts or inner.kept):
            raise CannotCompile("on what hangs on a row, nothing more can hang.")
        hanging = Hanging(part, inner, self._columns.name_of((key_of(self._columns.model_at(())).attname,)))
        return Of(self._columns.place_of(name, hanging), hanging.shown, "[]")

    def _nested(self, field: Any) -> "Reference":
        if not keeps(type(field)):
            raise CannotCompile("what is nested must be `kept`, or declared as a Part in Meta.parts.")
        return Reference(self._keeping(type(field), tuple(field.source_attrs)).place)

    def _keeping(self, serializer_class: Any, path: Path) -> "Keeping":
        form = kept_form(serializer_class)
        if any(each.form is not form for each in self.kept):
            raise CannotCompile("one kind of row is kept; this is a second.")
        version = self._columns.place((*path, form.witness), RowVersion)
        self.kept.append(Keeping(form, self._columns.place((*path, "pk")), version))
        return self.kept[-1]

    def _column(self, field: Any) -> "Found":
        path = tuple(field.source_attrs)
        model = said_of(field, self._columns, path[:-1])
        if isinstance(getattr(model, path[-1], None), Derived):
            return self._derived(field, path)
        column = column_of(model, path[-1])
        if hook := getattr(field, "compiled", None):
            expression, make = hook(column)
            place = self._columns.place(path, expression)
            return place if make is None else Of(place, make, repr(getattr(field, "nothing", None)))
        require_plain(field, column)
        return self._columns.place(path)

    def _derived(self, field: Any, path: Path) -> Make:
        value_of, said = derivation(self._columns, path), field.to_representation

        def make(row: Row, kept: Kept) -> Any:
            value = value_of(row)
            return None if value is None else said(value)

        return make

    # --- Reading ---

    def asked(self, reader: Any) -> Asked:
        """What to ask of rows that are shown to ``reader``."""
        if not self.has_parts:
            return asked_by_all(self.serializer_class, self.plain)
        audience = audience_of(reader)

        def to(pk: int | None) -> Sequence[Any]:
            them = audience.with_id(pk)
            return [each.to(them) if isinstance(each, Hanging) else each for each in self.plain]

        return Asked((self.serializer_class, audience.kind), audience.pk, to)

    def of(self, queryset: QuerySet[Any], reader: Any) -> list[Any]:
        """What the rows of ``queryset`` say to ``reader``, in at most two statements."""
        return self.shown(list(queryset.values_list(*self.asked(reader).columns)))

    def shown(self, rows: Sequence[Row]) -> list[Any]:
        """What ``rows`` of the columns ``asked`` say; in one statement where something that they refer to is not kept yet."""
        wanted = {row[place]: row[version] for _, place, version in self.kept for row in rows}
        kept = self._kept(wanted) if wanted else {}
        if kept.keys() < wanted.keys():
            # Who is referred to may have been erased between the two statements, and the row with them.
            rows = [row for row in rows if all(row[keeping.place] in kept for keeping in self.kept)]
        build = self.build
        return [build(row, kept) for row in rows]

    def _kept(self, wanted: dict[int, str]) -> Kept:
        """By the version of each row that is wanted."""
        form = self.kept[0].form
        kept = form.shelf.known(wanted.items())
        if len(kept) < len(wanted):
            kept |= form.fetched(sorted(wanted.keys() - kept.keys()))
        return kept


class Always(NamedTuple):
    """Says the same of every row."""

    said: Any


class Reference(NamedTuple):
    """Says what is kept of the row whose id is there."""

    place: int


class Of(NamedTuple):
    """Makes what it says of one column; of one that holds nothing (null, or an empty text) it says ``nothing``."""

    place: int
    make: Callable[[Any], Any]
    nothing: str = "None"


Found = int | Always | Reference | Of | Make


def written_out(fields: dict[str, Found]) -> Make:
    """A builder of ``{name: what is found}``, written as one would by hand, ``{"id": row[0], ...}``: half the time of a loop
    over names. Made of field names and numbers, and of nothing else."""
    known: dict[str, Any] = {}
    pairs = []
    for number, (name, found) in enumerate(fields.items()):
        how, known[f"f{number}"] = how_written(f"f{number}", found)
        pairs.append(f"{name!r}: {how}")
    return eval(f"lambda row, kept: {{{', '.join(pairs)}}}", known)  # noqa: S307


def how_written(name: str, found: Found) -> tuple[str, Any]:
    """An expression of ``row`` and ``kept``, and what ``name`` stands for in it."""
    match found:
        case int():
            return f"row[{found}]", None
        case Always(said):
            return name, said
        case Reference(place):
            return f"kept[row[{place}]]", None
        case Of(place, make, nothing):
            return f"{name}(row[{place}]) if row[{place}] else {nothing}", make
        case _:
            return f"{name}(row, kept)", found


class KeptForm:
    """The form of a serializer class with ``kept``, which names what its model derives from its columns: since and until
    when they say what they say."""

    def __init__(self, serializer_class: Any) -> None:
        plain = type(serializer_class.__name__, (serializer_class,), {"kept": ""})
        self.inner = Compiled(plain)
        if self.inner.has_parts or self.inner.kept:
            raise CannotCompile(f"{serializer_class.__name__} is kept, so nothing can hang on it.")
        self.shelf = Shelf()
        self.lasts = derivation(self.inner._columns, (serializer_class.kept,))
        self.columns = [*self.inner._columns.asked.values()]
        # Any column but the key, which the ORM would read off the row that refers to this one.
        self.witness = next(
            each.attname for each in self.inner._columns.model._meta.concrete_fields if not each.primary_key
        )

    def fetched(self, ids: list[int]) -> Kept:
        """What is kept of these rows from now on, in one statement."""

        def write(values: Sequence[Any]) -> Written:
            columns = JsonArray(RowVersion(F("pk")), *self.columns)
            model: Any = self.inner._columns.model
            return written(model._base_manager.filter(Q(AnyOf("pk", values[0]))).values_list("pk", columns))

        found = fetched(statements.template(self, [ids], write), [ids])
        return {pk: self.keep(orjson.loads(text)) for pk, text in found}

    def keep(self, values: list[Any]) -> orjson.Fragment:
        """``values``: a version, and the columns."""
        version, *row = values
        fragment = orjson.Fragment(fitted(orjson.dumps(self.inner.build(row, {}))))
        _, since, until = self.lasts(row)
        self.shelf.put(row[self.inner.pk], Said(version, since.timestamp(), until.timestamp(), fragment))
        return fragment


class Keeping(NamedTuple):
    """Where in a row stand the id of what is kept, and its version."""

    form: KeptForm
    place: int
    version: int


def compiled(serializer_class: Any) -> Compiled:
    """Made once. CannotCompile names what is in the way."""
    return compiled_once(serializer_class)


@cache
def compiled_once(serializer_class: Any) -> Compiled:
    return Compiled(serializer_class)


def kept_form(serializer_class: Any) -> KeptForm:
    """One for the class that says ``kept``, whatever is derived from it."""
    return kept_once(next(each for each in serializer_class.__mro__ if "kept" in vars(each)))


@cache
def kept_once(serializer_class: Any) -> KeptForm:
    return KeptForm(serializer_class)


def key_of(model: type[Model]) -> Any:
    return model._meta.pk


def keeps(serializer_class: Any) -> bool:
    return bool(getattr(serializer_class, "kept", ""))


def derivation(columns: Columns, path: Path) -> Callable[[Row], Any]:
    """What a model derives, from a row of ``columns``: on a bare instance that holds what was declared and nothing else."""
    model = columns.model_at(path[:-1])
    source: Any = getattr(model, path[-1])
    fields = [column_of(model, name) for name in source.columns]
    found = [(field.attname, columns.place((*path[:-1], field.attname)), field.to_python) for field in fields]

    def value_of(row: Row) -> Any:
        instance = object.__new__(model)
        held = instance.__dict__
        for name, place, read in found:
            held[name] = read(row[place])
        value = source.fget(instance)
        held.clear()  # a file and its row hold each other
        return value

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
