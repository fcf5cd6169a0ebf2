"""A log longer than anybody has patience to make: the one that is there again and again, each copy older than the last.

Ten million tasks take the demo an hour and more, and these statements some minutes, most of which their indexes take.
"""

from typing import Any

TASKS = "tasks_task"
TABLES = (TASKS, "tasks_taskproject", "tasks_taskproduct")  # what hangs on a task has an id of its own
MOVED = {"id", "task_id"}
OLDER = {"created_at", "done_at"}
ALONE = {"external_id"}  # one of each maker's

COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %(table)s AND is_generated = 'NEVER'
    AND (column_name <> 'id' OR table_name = %(tasks)s)
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique
"""
WHOLE_LOG = """
SELECT max(id), max(id) - min(id) + 1, max(created_at) - min(created_at) + interval '1 day' FROM tasks_task
"""
# Foreign keys are not looked at: a copy refers to what its original does, or to that one's copy.
BULK = "SET maintenance_work_mem = '512MB'; SET session_replication_role = replica"


def grow(cursor: Any, times: int) -> None:
    """So many logs where there is one, one behind the other as if each had been written in its time: what is of one hour lies
    together. Indexes are made anew, once all rows are there."""
    cursor.execute(BULK)
    cursor.execute(WHOLE_LOG)
    last, ids, span = cursor.fetchone()
    cursor.execute(INDEXES, [list(TABLES)])
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    for table in TABLES:
        copied = copy(cursor, table)
        for number in range(1, times):
            cursor.execute(copied, {"last": last, "ids": number * ids, "span": number * span})
    cursor.execute(f"SELECT setval(pg_get_serial_sequence('{TASKS}', 'id'), max(id)) FROM {TASKS}")
    for _, made in indexes:
        cursor.execute(made)
    cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")


def copy(cursor: Any, table: str) -> str:
    cursor.execute(COLUMNS, {"table": table, "tasks": TASKS})
    columns = [name for (name,) in cursor.fetchall()]
    values = ", ".join(map(moved, columns))
    task = task_of(table)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {task} <= %(last)s ORDER BY {task}"


def task_of(table: str) -> str:
    """The column that says which task a row is, or hangs on."""
    return "id" if table == TASKS else "task_id"


def moved(column: str) -> str:
    if column in MOVED:
        return f"{column} + %(ids)s"
    if column in ALONE:
        return "NULL"
    return f"{column} - %(span)s" if column in OLDER else column
