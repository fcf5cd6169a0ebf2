from django.db import migrations, models
from django.db.models import Q

from makerlog.api.text import fold

BATCH = 5_000
FILL = """
    UPDATE accounts_maker SET folded_username = folded.username FROM unnest(%s::bigint[], %s::text[]) AS folded (id, username)
    WHERE accounts_maker.id = folded.id
"""


def fill(apps, schema_editor):
    """Each batch a transaction of its own. It may run again."""
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT id, username FROM accounts_maker WHERE id > %s ORDER BY id LIMIT %s", [last, BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            cursor.execute(FILL, [[pk for pk, _ in rows], [fold(name) for _, name in rows]])
            last = rows[-1][0]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0008_folded_username")]

    reviewed = {
        "RunPython": "fills a column that the old code does not know, 5,000 rows a transaction",
        "SeparateDatabaseAndState": "a unique index, built while everybody writes; the old code leaves NULL, of which any number may be",
    }

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, atomic=False),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    """CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_maker_of_a_name
                    ON accounts_maker (folded_username) WHERE folded_username IS NOT NULL""",
                    "DROP INDEX IF EXISTS one_maker_of_a_name",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    "maker",
                    models.UniqueConstraint(
                        fields=["folded_username"], name="one_maker_of_a_name", condition=Q(folded_username__isnull=False)
                    ),
                )
            ],
        ),
    ]
