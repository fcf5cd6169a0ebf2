from django.db import migrations, transaction

BATCH = 500
NEXT = "SELECT id FROM accounts_maker WHERE id > %s ORDER BY id LIMIT %s"
HOLD = "SELECT id FROM accounts_maker WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
COUNT = """
    UPDATE tasks_daycount SET listed = public.tasks FROM (
        SELECT author_id, done_on, count(*) AS tasks FROM tasks_task
        WHERE author_id = ANY(%s) AND listed AND done_on IS NOT NULL GROUP BY author_id, done_on
    ) public WHERE tasks_daycount.author_id = public.author_id AND tasks_daycount.day = public.done_on
"""
RHYTHM = """
    WITH worked AS (
        SELECT author_id, day, row_number() OVER (PARTITION BY author_id ORDER BY day DESC)::int AS place
        FROM tasks_daycount WHERE author_id = ANY(%s) AND listed > 0
    ), newest AS (
        SELECT author_id, day FROM worked WHERE place = 1
    ), run AS (
        SELECT author_id, newest.day, count(*) AS days FROM newest JOIN worked USING (author_id)
        WHERE worked.day + worked.place = newest.day + 1 GROUP BY author_id, newest.day
    )
    UPDATE accounts_maker SET public_last_day = run.day, public_run_length = run.days, public_week_counts = (
        SELECT array_agg(coalesce(count.listed, 0) ORDER BY back DESC) FROM generate_series(0, 6) back
        LEFT JOIN tasks_daycount count ON count.author_id = run.author_id AND count.day = run.day - back
    ) FROM run WHERE accounts_maker.id = run.author_id
"""


def count_public_tasks(apps, schema_editor):
    """Batch by batch, in transactions of their own, under the locks that writers take."""
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT, [last, BATCH])
            ids = [pk for (pk,) in cursor.fetchall()]
            if not ids:
                return
            with transaction.atomic(using=schema_editor.connection.alias):
                for statement in (HOLD, COUNT, RHYTHM):
                    cursor.execute(statement, [ids])
            last = ids[-1]


class Migration(migrations.Migration):
    atomic = False
    reviewed = {
        'RunPython': 'it holds 500 makers at a time, as a writer holds one; what the old code writes meanwhile is not'
        ' counted as public until the same day is written again or recounted',
    }

    dependencies = [
        ('tasks', '0006_public_day_counts'),
        ('accounts', '0013_public_rhythm'),
    ]

    operations = [
        migrations.RunPython(count_public_tasks, migrations.RunPython.noop, elidable=True),
    ]
