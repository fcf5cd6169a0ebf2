"""A big log, made by SQL: one prolific maker among others, half of everything private."""

from django.db import connection

from makerlog.accounts.models import Maker
from products.models import Product, Project

MAKERS = range(1, 101)

# Nine tasks of ten are the first maker's and filed under the first project and product; every second one is private. What is
# not done, or another maker's, is all old.
CROWD = """
INSERT INTO tasks_task (id, author_id, content, done, in_progress, done_at, created_at, updated_at, hidden, listed,
    attachment, praise, comment_count)
SELECT n, CASE WHEN n > {rows} / 10 THEN 1 ELSE n % 100 + 1 END, 'task ' || n, n > {rows} / 20,
    n % 4 = 0 AND n <= {rows} / 20,
    CASE WHEN n > {rows} / 20 THEN moment END, moment, moment, false, n % 2 = 0, '', 0, 0
FROM (SELECT n, timestamptz '2026-01-01' + n * (interval '20 hours' / {rows}) AS moment FROM generate_series(1, {rows}) n) t;
INSERT INTO tasks_taskproject (task_id, project_id, created_at, listed)
SELECT id, author_id, created_at, listed FROM tasks_task;
INSERT INTO tasks_taskproduct (task_id, product_id, created_at, listed)
SELECT id, author_id, created_at, listed FROM tasks_task;
"""


def gather(rows: int) -> None:
    """``rows`` tasks of 100 makers, with the statistics that autovacuum would have made by and by."""
    Maker.objects.bulk_create(Maker(pk=n, username=f"maker{n}") for n in MAKERS)
    Project.objects.bulk_create(Project(pk=n, author_id=n, name="project") for n in MAKERS)
    Product.objects.bulk_create(Product(pk=n, author_id=n, name="product", slug=f"product-{n}") for n in MAKERS)
    make(CROWD.replace("{rows}", str(rows)))


def make(sql: str) -> None:
    """Takes longer than an answer may. Foreign keys are right by construction: checked one by one with a plan from when the
    tables were empty, they took seven minutes."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout; RESET session_replication_role")


def disperse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_maker CASCADE")
