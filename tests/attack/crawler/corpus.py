"""As many rows of everything as one likes, made by SQL: every model there is, whoever added it.

A column is filled by what its field says of itself, unless ``COLUMNS`` says better. Row ``n`` of every table is alike at any
size: nearly all that can hang on one thing hangs on row 1 (maker 1 wrote it, discussion 1 is replied to), row 41 has
nothing but what is its own, and every tenth thing hangs on the row of its own number. So what is common grows with the
tables, what is rare stays, and a request may name the same rows at every size.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Field, Model

from makerlog.changes.models import Process
from moderation.models import Lockdown, RouteSwitch

COMMON, SPARE, RARE = 1, 41, 40
MODERATOR, STAFF = 42, 43

# As many as there are of something that no caller adds to, whatever they do.
FIXED: dict[type[Model], str] = {
    ContentType: "one a model",
    Permission: "four a model",
    RouteSwitch: "one a route",
    Lockdown: "one in all",
    Process: "one a process that runs; those that ended are forgotten",
}

HOST = f"CASE WHEN mod(n, 10) = 0 OR n = {SPARE} THEN n ELSE {COMMON} END"
MOMENT = "timestamptz '2026-01-01' + n * (interval '20 hours' / {rows})"
LISTED = "(mod(n, 2) = 1 OR mod(n, 20) = 0)"
HIDDEN = "(mod(n, 10) = 8)"
# What hangs on row n in a table whose row n hangs on HOST; and of that, what is not hidden.
HANGING = f"CASE WHEN n = {COMMON} THEN {{rows}} * 9 / 10 - 1 WHEN mod(n, 10) = 0 OR n = {SPARE} THEN 1 ELSE 0 END"
SHOWN = f"CASE WHEN n = {COMMON} THEN {{rows}} * 8 / 10 - 1 WHEN mod(n, 10) = 0 OR n = {SPARE} THEN 1 ELSE 0 END"
OLD = "(n <= 50)"  # the few of a kind are the oldest: nothing may be walked past to find them

# What a field cannot say of itself, over the row's number ``n``; ``{rows}`` is how many there are.
COLUMNS: dict[str, dict[str, str]] = {
    "accounts.Maker": {
        "username": "'maker' || n",
        "email": "'maker' || n || '@example.com'",
        "is_moderator": f"n = {MODERATOR}",
        "is_staff": f"n = {STAFF}",
        "is_superuser": f"n = {STAFF}",
        "is_active": "mod(n, 10) < 7 OR n < 50",
        "follower_count": f"CASE WHEN n = {COMMON} THEN {{rows}} / 2 WHEN mod(n, 2) = 0 THEN 1 ELSE 0 END",
    },
    # The first maker follows every second one, and is followed by the others.
    "accounts.Follow": {
        "follower": f"CASE WHEN mod(n, 2) = 0 THEN {COMMON} ELSE n + 1 END",
        "followed": f"CASE WHEN mod(n, 2) = 0 THEN n ELSE {COMMON} END",
    },
    # A maker keeps back five names at most.
    "accounts.FreedUsername": {"maker": "n", "digest": "decode(lpad(to_hex(n), 8, '0'), 'hex')"},
    "accounts.StoredFile": {"name": "'attachments/' || n"},
    # A maker has at most 100 tokens that live.
    "accounts.AccessToken": {
        "public_id": "lpad(n::text, 11, '0')",
        "scopes": "'{{tasks:read}}'",
        "revoked_at": f"CASE WHEN n > 50 AND mod(n, 10) > 0 THEN {MOMENT} END",
    },
    "products.Project": {"name": "'project' || n", "private": f"NOT {LISTED}"},
    "products.Product": {
        "slug": "'s' || n",
        "name": "'product ' || n",
        "tags": "ARRAY['honey', 'tag' || n]",
        "private": f"NOT {LISTED}",
        "listed": LISTED,
        "launched": f"NOT {OLD}",
        "launched_at": f"CASE WHEN NOT {OLD} THEN {MOMENT} END",
    },
    "products.Product_projects": {"product": "n", "project": "n"},
    "products.Membership": {"product": "n", "owner": "true", "listed": LISTED},
    "tasks.Task": {
        "content": "'task ' || n || ' #project1'",
        "done": f"NOT {OLD}",
        "done_at": f"CASE WHEN NOT {OLD} THEN {MOMENT} END",
        "in_progress": f"{OLD} AND mod(n, 4) = 0",
        "event": f"CASE WHEN {OLD} THEN 'rare' ELSE 'common' END",
        "external_id": "'x' || n",
        "praise": HANGING,
        "comment_count": SHOWN,
        "listed": LISTED,
        "hidden": HIDDEN,
    },
    "tasks.TaskProject": {"task": "n", "listed": LISTED},
    "tasks.TaskProduct": {"task": "n", "listed": LISTED},
    "tasks.TaskPraise": {"maker": "n"},
    "tasks.TaskComment": {"author": "n", "content": "'nice'", "hidden": HIDDEN},
    "tasks.DeletedTask": {"task_id": "n + {rows}"},
    "tasks.DayCount": {"day": "date '1750-01-01' + n::int", "done": "1"},
    "discussions.Discussion": {
        "slug": "'s' || n",
        "title": "'discussion ' || n",
        "type": f"CASE WHEN {OLD} THEN 'QUESTION' ELSE 'TEXT' END",
        "reply_count": SHOWN,
        "listed": LISTED,
        "hidden": HIDDEN,
    },
    "discussions.Reply": {
        "author": "n",
        "parent_reply": f"CASE WHEN mod(n, 3) = 0 THEN {COMMON} END",
        "body": "'yes'",
        "praise": HANGING,
        "hidden": HIDDEN,
    },
    "discussions.Participant": {"maker": "n"},
    "discussions.ReplyPraise": {"maker": "n"},
    "moderation.Ban": {
        "network": "host(inet '5.0.0.0' + n) || '/32'",
        "family": "4",
        "low": "83886080 + n",
        "high": "83886080 + n",
        "lifted_at": f"CASE WHEN mod(n, 3) = 0 THEN {MOMENT} END",
    },
    "moderation.AllowlistEntry": {"network": "host(inet '6.0.0.0' + n) || '/32'"},
    "moderation.RuleAct": {"until": f"{MOMENT} + interval '1 hour'", "dry_run": "false"},
    "moderation.Cleanup": {"maker": HOST, "state": "'hidden'"},
    "moderation.Incident": {"ended_at": f"{MOMENT} + interval '1 hour'"},
    "changes.Change": {"topic": "'ban'", "key": HOST},
    "moderation.AuditEntry": {"actor_id": str(STAFF), "subject": f"'maker:' || {HOST}"},
    "admin.LogEntry": {
        "user": str(STAFF),
        "object_id": HOST,
        "action_flag": "2",
        "content_type": "(SELECT id FROM django_content_type WHERE model = 'maker')",
    },
    "auth.Group_permissions": {"group": "n", "permission": "(SELECT min(id) FROM auth_permission)"},
    "accounts.Maker_user_permissions": {"maker": "n", "permission": "(SELECT min(id) FROM auth_permission)"},
}

# What a field of this kind holds where neither it nor COLUMNS says more; the most special class comes first.
KINDS: list[tuple[type[Field], str]] = [
    (models.BooleanField, "false"),
    (models.DateTimeField, MOMENT),
    (models.DateField, "date '2026-01-01'"),
    (models.DurationField, "interval '1 second'"),
    (models.GenericIPAddressField, "'5.0.0.0'::inet + n"),
    (models.UUIDField, "gen_random_uuid()"),
    (models.JSONField, "'{{}}'::jsonb"),
    (models.BinaryField, "'\\x00'::bytea"),
    (models.CharField, "'x' || n"),
    (models.TextField, "'x' || n"),
    (models.SmallIntegerField, "1"),
    (models.IntegerField, "n"),
    (models.DecimalField, "n"),
    (models.FloatField, "n"),
]


def filled() -> list[type[Model]]:
    """Every model whose table grows, link tables included."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model not in FIXED and model._meta.managed and not model._meta.proxy]


def fill(rows: int) -> None:
    """``rows`` of every model, with the statistics that autovacuum would have made by and by."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL statement_timeout = 0"
        )  # this is no request, whatever the settings of the process say
        cursor.execute("SET LOCAL session_replication_role = replica")  # foreign keys are right by construction
        for model in filled():
            try:
                statement, values = insert(model)
                cursor.execute(statement.format(rows=rows), values)
            except (DatabaseError, LookupError) as error:
                raise LookupError(f"Say in COLUMNS what the rows of {model._meta.label} hold: {error}") from error
            cursor.execute(*next_id(model))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")


def insert(model: type[Model]) -> tuple[str, list[Any]]:
    """The statement that fills a table, and its parameters."""
    known = COLUMNS.get(model._meta.label, {})
    unknown = known.keys() - {field.name for field in model._meta.concrete_fields}
    if unknown:
        raise LookupError(f"it has no {', '.join(unknown)}")
    columns, expressions, values = [], [], []
    for field in model._meta.concrete_fields:
        if field.generated or (field.has_db_default() and field.name not in known and not timed(field)):
            continue
        expression, given = value_of(field, known)
        columns.append(connection.ops.quote_name(field.column))
        expressions.append(expression)
        values += given
    source = "generate_series(1, {rows}) n"
    table = connection.ops.quote_name(model._meta.db_table)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(expressions)} FROM {source}", values


def timed(field: Field) -> bool:
    return isinstance(field, models.DateTimeField)


def value_of(field: Field, known: dict[str, str]) -> tuple[str, list[Any]]:
    """A field's expression, and its parameter if it has one."""
    if field.name in known:
        return known[field.name], []
    if field.remote_field:
        return ("NULL" if field.null else "n" if distinct(field) else HOST), []
    if not (field.primary_key or distinct(field) or timed(field)):
        if field.choices:
            return "%s", [field.get_db_prep_save(field.flatchoices[0][0], connection)]
        if field.has_default() or field.null or field.blank:
            return "%s", [field.get_db_prep_save(field.get_default(), connection)]
    if timed(field) and field.null:
        return "NULL", []
    return kind_of(field), []


def kind_of(field: Field) -> str:
    for kind, expression in KINDS:
        if isinstance(field, kind):
            return expression
    raise LookupError(f"nothing is known of {field}")


def distinct(field: Field) -> bool:
    """Whether a field must tell the rows apart: it is unique, or the last of several that are together."""
    meta = field.model._meta
    together = [constraint.fields for constraint in meta.total_unique_constraints] + [*meta.unique_together]
    return field.unique or any(names[-1] == field.name for names in together if names)


def next_id(model: type[Model]) -> tuple[str, list[Any]]:
    """The statement after which new rows get ids behind those that are there."""
    pk = model._meta.pk
    if not isinstance(pk, models.AutoField):
        return "SELECT 1", []
    table = connection.ops.quote_name(model._meta.db_table)
    sequence = f"pg_get_serial_sequence('{table}', '{pk.column}')"
    return f"SELECT setval({sequence}, (SELECT max({pk.column}) FROM {table}))", []


def counts() -> Iterator[tuple[str, int]]:
    """(label, rows) of every model that ``fill`` fills."""
    for model in filled():
        yield model._meta.label, model._base_manager.count()


FORGET = """
DELETE FROM pg_statistic USING pg_class WHERE starelid = oid AND relnamespace = 'public'::regnamespace
"""


def empty() -> None:
    """Takes all rows away, and what the planner knew of them: the tests that follow have plans of their own."""
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in filled())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # the audit log lets nothing go
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        cursor.execute(FORGET)
