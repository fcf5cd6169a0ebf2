"""What a maker who goes takes back from other makers' tasks, and the files they leave behind."""

from django.db import connection
from django.db.models import QuerySet

from makerlog.api.files import forget_files
from tasks import events
from tasks.models import Task

# Counted by what is really deleted: the same maker may be withdrawing praise in another app at this moment.
WITHDRAW_PRAISE = """
    WITH gone AS (DELETE FROM tasks_taskpraise WHERE maker_id = %s RETURNING task_id)
    UPDATE tasks_task SET praise = praise - 1, updated_at = statement_timestamp()
    FROM gone WHERE tasks_task.id = gone.task_id
"""
DELETE_COMMENTS = """
    WITH gone AS (DELETE FROM tasks_taskcomment WHERE author_id = %s RETURNING task_id, hidden),
    counted AS (SELECT task_id, count(*) AS comments FROM gone WHERE NOT hidden GROUP BY task_id)
    UPDATE tasks_task SET comment_count = comment_count - counted.comments, updated_at = statement_timestamp()
    FROM counted WHERE tasks_task.id = counted.task_id
"""


def erase(maker: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(WITHDRAW_PRAISE, [maker])
        cursor.execute(DELETE_COMMENTS, [maker])
    events.leaving(Task.objects.filter(author=maker, listed=True))
    forget_files(attachments(maker).iterator())


def attachments(maker: int) -> QuerySet[Task, str]:
    return Task.objects.filter(author=maker).exclude(attachment="").values_list("attachment", flat=True)
