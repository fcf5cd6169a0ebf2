from makerlog.api.timezones import zone as zone_called

from django.db import migrations

BATCH = 5_000
NEXT = """
    SELECT task.id, task.done_at, maker.timezone FROM tasks_task task JOIN accounts_maker maker ON maker.id = task.author_id
    WHERE task.id > %s AND task.done_at IS NOT NULL AND task.done_on IS NULL ORDER BY task.id LIMIT %s
"""
KEEP = """
    UPDATE tasks_task SET done_on = known.day FROM unnest(%s::bigint[], %s::date[], %s::timestamptz[]) AS known (id, day, done_at)
    WHERE tasks_task.id = known.id AND tasks_task.done_at = known.done_at
"""


def keep_days(apps, schema_editor):
    """Batch by batch, in transactions of their own: writers hardly wait. Days are reckoned by Python, as everywhere."""
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT, [last, BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            ids, moments = [row[0] for row in rows], [row[1] for row in rows]
            cursor.execute(KEEP, [ids, [at.astimezone(zone_called(zone)).date() for _, at, zone in rows], moments])
            last = ids[-1]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('tasks', '0003_cleanups_indexes'),
        ('accounts', '0002_suspension_and_revocation'),
    ]

    operations = [
        migrations.RunPython(keep_days, migrations.RunPython.noop, elidable=True),
    ]
