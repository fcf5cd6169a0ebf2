"""Brings together what was split: text that was kept as it was typed is in NFC, projects of one folded name are one, and
tasks stand under the projects that their hashtags name.

Old hashtags ended at the first mark: "#हिन्दी" filed a task under "ह", and so the tasks of a private project "हिन्दी" were
public. Nothing becomes more public here. Each author is a transaction of their own; it may run again.
"""

import re
from collections import defaultdict

from django.db import migrations, transaction

from makerlog.api.text import fold, to_nfc
from tasks.hashtags import project_names

BATCH = 5_000  # rows read at once
OLD_HASHTAG = re.compile(r"(?<![\w&/#])#([^\W_][\w-]{0,49})(?![\w-])")
BEYOND_ASCII = "'[^\\x01-\\x7f]'"

# Table, its columns of text, and how long each may be there; None: however long.
TEXTS = {
    "tasks_task": {"content": None, "description": None},
    "tasks_taskcomment": {"content": None},
    "products_project": {"name": 50},
    "products_product": {"name": 100, "description": None, "product_hunt": 200, "twitter": 50},
    "discussions_discussion": {"title": 200, "body": None},
    "discussions_reply": {"body": None},
    "accounts_maker": {"first_name": 150, "last_name": 150, "status": 140, "description": None},
}

HOLD = "SELECT id FROM accounts_maker WHERE id = %s FOR NO KEY UPDATE"
MERGE = [
    """UPDATE tasks_taskproject filing SET project_id = %(kept)s WHERE project_id = %(gone)s AND NOT EXISTS (
        SELECT FROM tasks_taskproject other WHERE other.task_id = filing.task_id AND other.project_id = %(kept)s
    )""",
    "DELETE FROM tasks_taskproject WHERE project_id = %(gone)s",
    """UPDATE products_product_projects held SET project_id = %(kept)s WHERE project_id = %(gone)s AND NOT EXISTS (
        SELECT FROM products_product_projects other WHERE other.product_id = held.product_id AND other.project_id = %(kept)s
    )""",
    "DELETE FROM products_product_projects WHERE project_id = %(gone)s",
    """UPDATE products_project SET private = true WHERE id = %(kept)s AND EXISTS (
        SELECT FROM products_project WHERE id = %(gone)s AND private
    )""",
    "DELETE FROM products_project WHERE id = %(gone)s",
]
# The tasks %(ids)s stand under the products of their projects, and are public only where nothing of that is private.
SETTLE = [
    """DELETE FROM tasks_taskproduct filing WHERE task_id = ANY(%(ids)s) AND NOT EXISTS (
        SELECT FROM tasks_taskproject project JOIN products_product_projects held USING (project_id)
        WHERE project.task_id = filing.task_id AND held.product_id = filing.product_id
    )""",
    """INSERT INTO tasks_taskproduct (task_id, product_id, created_at, listed)
    SELECT DISTINCT filing.task_id, held.product_id, filing.created_at, filing.listed
    FROM tasks_taskproject filing JOIN products_product_projects held USING (project_id)
    WHERE filing.task_id = ANY(%(ids)s) ON CONFLICT (task_id, product_id) DO NOTHING""",
    """UPDATE tasks_task task SET listed = false, updated_at = statement_timestamp()
    WHERE id = ANY(%(ids)s) AND listed AND (EXISTS (
        SELECT FROM tasks_taskproject JOIN products_project project ON project.id = project_id
        WHERE task_id = task.id AND project.private
    ) OR EXISTS (
        SELECT FROM tasks_taskproduct JOIN products_product product ON product.id = product_id
        WHERE task_id = task.id AND product.private
    ))""",
    *(
        f"""UPDATE tasks_task{kind} filing SET listed = false FROM tasks_task task
        WHERE filing.task_id = ANY(%(ids)s) AND task.id = filing.task_id AND filing.listed AND NOT task.listed"""
        for kind in ("project", "product")
    ),
]


def bring_together(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for table, columns in TEXTS.items():
            compose(cursor, table, columns)
        fold_projects(cursor)
        merge_projects(cursor)
        file_anew(cursor)


def batches(cursor, sql, *values):
    """Rows of a statement that takes the last id seen and how many, by id."""
    last = 0
    while True:
        cursor.execute(sql, [*values, last, BATCH])
        rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def compose(cursor, table, columns):
    for column, longest in columns.items():
        sql = f"SELECT id, {column} FROM {table} WHERE {column} ~ {BEYOND_ASCII} AND id > %s ORDER BY id LIMIT %s"
        for rows in batches(cursor, sql):
            changed = [(pk, to_nfc(text)) for pk, text in rows if to_nfc(text) != text]
            fitting = [(pk, text) for pk, text in changed if longest is None or len(text) <= longest]
            if fitting:
                cursor.execute(
                    f"UPDATE {table} SET {column} = made.text FROM unnest(%s::bigint[], %s::text[]) AS made (id, text)"
                    f" WHERE {table}.id = made.id AND {column} IS DISTINCT FROM made.text",
                    [list(each) for each in zip(*fitting)],
                )


def fold_projects(cursor):
    for rows in batches(cursor, "SELECT id, name FROM products_project WHERE id > %s ORDER BY id LIMIT %s"):
        cursor.execute(
            "UPDATE products_project SET folded = made.folded FROM unnest(%s::bigint[], %s::text[]) AS made (id, folded)"
            " WHERE products_project.id = made.id",
            [[pk for pk, _ in rows], [fold(name) for _, name in rows]],
        )


def merge_projects(cursor):
    """Those of one author whose names are one: the oldest stays, private if any of them is."""
    cursor.execute(
        "SELECT author_id, array_agg(id ORDER BY id) FROM products_project WHERE folded IS NOT NULL"
        " GROUP BY author_id, folded HAVING count(*) > 1"
    )
    for author, (kept, *others) in cursor.fetchall():
        with transaction.atomic():
            cursor.execute(HOLD, [author])
            for gone in others:
                for sql in MERGE:
                    cursor.execute(sql, {"kept": kept, "gone": gone})
            cursor.execute("SELECT task_id FROM tasks_taskproject WHERE project_id = %s", [kept])
            settle(cursor, [task for (task,) in cursor.fetchall()])


def settle(cursor, ids):
    for start in range(0, len(ids), BATCH):
        for sql in SETTLE:
            cursor.execute(sql, {"ids": ids[start : start + BATCH]})


def file_anew(cursor):
    """Tasks whose hashtags name more, or other, projects than the old rule saw. (What the old one alone saw, such as a part of
    an address, stays where it is: nobody asked for that to become public.)"""
    sql = (
        f"SELECT id, author_id, content FROM tasks_task WHERE content ~ '[#＃﹟]' AND content ~ {BEYOND_ASCII}"
        " AND id > %s ORDER BY id LIMIT %s"
    )
    for rows in batches(cursor, sql):
        of_author = defaultdict(list)
        for pk, author, content in rows:
            old = {fold(name) for name in OLD_HASHTAG.findall(content)}
            new = {fold(name): name for name in project_names(content)}
            if new.keys() - old:
                of_author[author].append((pk, new, old - new.keys()))
        for author, tasks in of_author.items():
            with transaction.atomic():
                file_tasks(cursor, author, tasks)


def file_tasks(cursor, author, tasks):
    cursor.execute(HOLD, [author])
    cut_short = set()
    for pk, new, old in tasks:
        found = of_names(cursor, author, old)
        private = any(is_private for _, is_private in found.values())
        for key, name in new.items():
            file_task(cursor, pk, author, key, name, private)
        public = [project for project, is_private in found.values() if not is_private]
        cursor.execute("DELETE FROM tasks_taskproject WHERE task_id = %s AND project_id = ANY(%s)", [pk, public])
        cut_short.update(public)
    settle(cursor, [pk for pk, _, _ in tasks])
    # What only a name that was cut short had made.
    cursor.execute(
        """DELETE FROM products_project project WHERE id = ANY(%s) AND NOT private
        AND NOT EXISTS (SELECT FROM tasks_taskproject WHERE project_id = project.id)
        AND NOT EXISTS (SELECT FROM products_product_projects WHERE project_id = project.id)""",
        [sorted(cut_short)],
    )


def of_names(cursor, author, keys):
    cursor.execute(
        "SELECT folded, id, private FROM products_project WHERE author_id = %s AND folded = ANY(%s)", [author, sorted(keys)]
    )
    return {key: (pk, private) for key, pk, private in cursor.fetchall()}


def file_task(cursor, task, author, key, name, private):
    """Under the author's project of that name; a new one is private where what its name was cut to is."""
    found = of_names(cursor, author, [key])
    if found:
        [(project, _)] = found.values()
    else:
        cursor.execute(
            "INSERT INTO products_project (author_id, name, folded, private, created_at)"
            " VALUES (%s, %s, %s, %s, statement_timestamp()) RETURNING id",
            [author, name, key, private],
        )
        [(project,)] = cursor.fetchall()
    cursor.execute(
        "INSERT INTO tasks_taskproject (task_id, project_id, created_at, listed)"
        " SELECT id, %s, created_at, listed FROM tasks_task WHERE id = %s ON CONFLICT (task_id, project_id) DO NOTHING",
        [project, task],
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tasks", "0004_days_that_tasks_count_on"),
        ("products", "0004_folded_names"),
        ("discussions", "0003_cleanups_indexes"),
        ("accounts", "0009_one_maker_of_a_name"),
    ]

    reviewed = {
        "RunPython": "holds one author at a time, as their own writes do; what the old code reads and writes stays as it knows it"
    }

    operations = [migrations.RunPython(bring_together, migrations.RunPython.noop, atomic=False)]
