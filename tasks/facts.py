"""What is kept on tasks, on their places in lists, and of the days of makers: see makerlog.api.recounting."""

# ruff: noqa: S608  (statements made of our own words alone)

from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from makerlog.api.recounting import BATCH, Comparison, Difference, Kept, rows
from products.actions import lock_makers
from tasks import days
from tasks.models import Task

AUTHOR = "(SELECT author_id FROM tasks_task WHERE id = kept.task_id)"
MAKERS = 500  # whose days are compared at a time: some have many

ABOVE = """
    SELECT DISTINCT filing.task_id, held.product_id FROM tasks_taskproject filing
    JOIN products_product_projects held USING (project_id)
"""


@dataclass(frozen=True)
class DaysOfTasks:
    """A task that is done counts on a day; one that is not, on none. Which day, follows from no fact that is left: its
    author's time zone was, when it was written, what it may be no more."""

    name: str = "day of task"
    table: str = "tasks_task"
    batch: int = BATCH

    def wrong(self, low: int, high: int) -> list[Difference]:
        found = Task.objects.filter(self.condition, pk__range=(low, high)).order_by("pk")
        return [
            Difference(task.pk, str(task.done_on), str(days.day_of(task.author, task.done_at)))
            for task in found.select_related("author")
        ]

    def mend(self, ids: list[int]) -> None:
        lock_makers(Task.objects.filter(pk__in=ids).values_list("author", flat=True))
        held = Task.objects.select_for_update(of=("self",), no_key=True).select_related("author").order_by("pk")
        days.keep(list(held.filter(self.condition, pk__in=ids)))

    @property
    def condition(self) -> Q:
        return Q(done_at=None, done_on__isnull=False) | Q(done_at__isnull=False, done_on=None)


DAYS = """
    SELECT author_id, day, coalesce(kept.tasks, 0), coalesce(fact.tasks, 0) FROM (
        SELECT author_id, day, {column} AS tasks FROM tasks_daycount WHERE author_id BETWEEN %s AND %s AND {column} > 0
    ) kept FULL JOIN (
        SELECT author_id, done_on AS day, count(*) AS tasks FROM tasks_task
        WHERE author_id BETWEEN %s AND %s AND done_on IS NOT NULL AND {condition} GROUP BY author_id, done_on
    ) fact USING (author_id, day)
    WHERE kept.tasks IS DISTINCT FROM fact.tasks ORDER BY author_id, day
"""
COUNT_ANEW = (
    """UPDATE tasks_daycount SET done = 0, listed = 0 WHERE author_id = ANY(%s)""",
    """INSERT INTO tasks_daycount (author_id, day, done, listed)
    SELECT author_id, done_on, count(*), count(*) FILTER (WHERE listed) FROM tasks_task
    WHERE author_id = ANY(%s) AND done_on IS NOT NULL AND NOT hidden GROUP BY author_id, done_on
    ON CONFLICT (author_id, day) DO UPDATE SET done = EXCLUDED.done, listed = EXCLUDED.listed""",
    days.KEEP_RHYTHMS,
)


@dataclass(frozen=True)
class DayCounts:
    """Tasks done on each day of each maker: those of ``condition``, kept in ``column``."""

    name: str
    column: str
    condition: str
    table: str = "accounts_maker"
    batch: int = MAKERS

    def wrong(self, low: int, high: int) -> list[Difference]:
        found = rows(DAYS.format(column=self.column, condition=self.condition), [low, high, low, high])
        return [Difference(maker, str(kept), str(fact), f" on {day}") for maker, day, kept, fact in found]

    def mend(self, ids: list[int]) -> None:
        lock_makers(ids)
        with connection.cursor() as cursor:
            for statement in COUNT_ANEW:
                cursor.execute(statement, [ids])


KEPT: list[Comparison] = [
    Kept(
        "praise of task",
        "tasks_task",
        "kept.praise",
        "SELECT count(*) FROM tasks_taskpraise WHERE task_id = kept.id",
    ),
    Kept(
        "comments of task",
        "tasks_task",
        "kept.comment_count",
        "SELECT count(*) FROM tasks_taskcomment WHERE task_id = kept.id AND NOT hidden",
    ),
    Kept(
        "products of task",
        "tasks_task",
        "SELECT coalesce(array_agg(product_id ORDER BY product_id), '{}') FROM tasks_taskproduct WHERE task_id = kept.id",
        f"""SELECT coalesce(array_agg(product_id ORDER BY product_id), '{{}}')
        FROM ({ABOVE} WHERE filing.task_id = kept.id) above""",
        owner="kept.author_id",
        mends=(
            """DELETE FROM tasks_taskproduct place WHERE task_id = ANY(%(ids)s) AND NOT EXISTS (
                SELECT FROM tasks_taskproject filing JOIN products_product_projects held USING (project_id)
                WHERE filing.task_id = place.task_id AND held.product_id = place.product_id
            )""",
            f"""INSERT INTO tasks_taskproduct (task_id, product_id, created_at, listed)
            SELECT above.task_id, above.product_id, task.created_at, task.listed
            FROM ({ABOVE} WHERE filing.task_id = ANY(%(ids)s)) above JOIN tasks_task task ON task.id = above.task_id
            ON CONFLICT (task_id, product_id) DO NOTHING""",
        ),
    ),
    Kept(
        "being listed of task",
        "tasks_task",
        "kept.listed",
        """NOT kept.hidden AND NOT EXISTS (SELECT FROM accounts_maker WHERE id = kept.author_id AND private)
        AND NOT EXISTS (
            SELECT FROM tasks_taskproject JOIN products_project project ON project.id = project_id
            WHERE task_id = kept.id AND project.private
        ) AND NOT EXISTS (
            SELECT FROM tasks_taskproduct JOIN products_product product ON product.id = product_id
            WHERE task_id = kept.id AND product.private
        )""",
        owner="kept.author_id",
    ),
    *(
        Kept(
            f"place in the list of a {kind} of task filing",
            f"tasks_task{kind}",
            "(kept.listed, kept.created_at)",
            "SELECT (task.listed, task.created_at) FROM tasks_task task WHERE task.id = kept.task_id",
            owner=AUTHOR,
            mends=(
                f"""UPDATE tasks_task{kind} kept SET listed = task.listed, created_at = task.created_at
                FROM tasks_task task WHERE task.id = kept.task_id AND kept.id = ANY(%(ids)s)""",
            ),
        )
        for kind in ("project", "product")
    ),
    DaysOfTasks(),
    DayCounts("tasks done of maker", "done", "NOT hidden"),
    DayCounts("public tasks done of maker", "listed", "listed"),
    Kept(
        "rhythm of maker",
        "accounts_maker",
        """(kept.last_day, kept.run_length, kept.week_counts,
        kept.public_last_day, kept.public_run_length, kept.public_week_counts)""",
        f"""SELECT (rhythm.last_day, rhythm.run_length, rhythm.week,
        rhythm.public_last_day, rhythm.public_run_length, rhythm.public_week)
        FROM ({days.RHYTHMS.replace("%s::bigint[]", "ARRAY[kept.id]")}) rhythm""",
        owner="kept.id",
        mends=(days.KEEP_RHYTHMS.replace("%s", "%(ids)s"),),
        batch=MAKERS,
    ),
]
