from django.db import connection, migrations, models

from makerlog.accounts.mailboxes import mailbox_of

BATCH = 1_000

NEXT = "SELECT id, email FROM accounts_maker WHERE id > %s ORDER BY id LIMIT %s"
# Of two accounts that share a mailbox, the one that is spelt as the mailbox has it, else the older; the other keeps its
# address alone (Maker.mailbox).
FILL = """
    UPDATE accounts_maker maker SET mailbox = new.mailbox
    FROM (
        SELECT DISTINCT ON (mailbox) id, mailbox FROM unnest(%s::bigint[], %s::text[]) AS new (id, mailbox)
        ORDER BY mailbox, id
    ) new
    WHERE maker.id = new.id AND maker.mailbox = '' AND NOT EXISTS (
        SELECT FROM accounts_maker other WHERE other.mailbox = new.mailbox AND NOT other.mailbox = ''
    )
"""
REGISTERING = "awaiting_activation AND NOT is_active AND NOT pending_mailbox = ''"


def fill_mailboxes(apps, schema_editor):
    fill(lambda email, mailbox: email.lower() == mailbox)
    fill(lambda email, mailbox: True)


def fill(is_chosen):
    last = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT, [last, BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            new = {pk: mailbox_of(email) for pk, email in rows if email and is_chosen(email, mailbox_of(email))}
            cursor.execute(FILL, [list(new), list(new.values())])
            last = rows[-1][0]


class Migration(migrations.Migration):
    """Of a table that is in use: nothing here keeps its writers waiting. What the old code writes meanwhile has no mailbox,
    and is found by its address."""

    atomic = False
    reviewed = {
        "SeparateDatabaseAndState": "unique indexes are built concurrently; the old code leaves both columns empty",
        "RunPython": "a thousand rows in each statement, which locks those alone; the old code does not know the column",
    }

    dependencies = [
        ('accounts', '0010_folded_by_us'),
    ]

    operations = [
        migrations.AddField('maker', 'mailbox', models.CharField(blank=True, db_default='', default='', editable=False, max_length=320)),
        migrations.AddField('maker', 'pending_email', models.EmailField(blank=True, db_default='', default='', editable=False, max_length=254)),
        migrations.AddField('maker', 'pending_mailbox', models.CharField(blank=True, db_default='', default='', editable=False, max_length=320)),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_maker_per_mailbox ON accounts_maker (mailbox) WHERE NOT mailbox = ''",
                "DROP INDEX CONCURRENTLY IF EXISTS one_maker_per_mailbox",
            )],
            [migrations.AddConstraint('maker', models.UniqueConstraint(condition=models.Q(('mailbox', ''), _negated=True), fields=('mailbox',), name='one_maker_per_mailbox'))],
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(
                f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_registration_per_mailbox ON accounts_maker (pending_mailbox) WHERE {REGISTERING}",
                "DROP INDEX CONCURRENTLY IF EXISTS one_registration_per_mailbox",
            )],
            [migrations.AddConstraint('maker', models.UniqueConstraint(condition=models.Q(('awaiting_activation', True), ('is_active', False), models.Q(('pending_mailbox', ''), _negated=True)), fields=('pending_mailbox',), name='one_registration_per_mailbox'))],
        ),
        migrations.RunPython(fill_mailboxes, migrations.RunPython.noop),
    ]
