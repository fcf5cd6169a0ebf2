"""Runs jobs, one after the other: one process, one thread, one database connection.

At least once: a job whose worker dies in the middle runs again. The worker is known by its database session, which
PostgreSQL ends with the process; a job that is said to run where no such session lives has been abandoned. A pooler hands one
session to many workers: behind one a worker has a random name, and its job is abandoned when it has run for too long.
"""

import contextlib
import logging
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from makerlog.accounts.mail_budgets import MailPutOff
from makerlog.api.errors import is_outage
from makerlog.jobs import schedule
from makerlog.jobs.models import MAX_ATTEMPTS, Job

logger = logging.getLogger("makerlog.jobs")

POLL_S = 0.5
UPKEEP_S = 10.0
JOB_S = 20.0  # for one job; bigger work enqueues its next part. Who stops the worker gives it 30 s
ABANDONED = timedelta(minutes=5)  # where a session tells nothing: behind a pooler, or on a dead line

SESSION = "SELECT pid || '@' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
SESSIONS = "SELECT pid || '@' || backend_start FROM pg_stat_activity WHERE backend_start IS NOT NULL"


class JobTooLong(Exception):
    """A job took longer than ``JOB_S``."""


class WorkerDied(Exception):
    """A worker ended in the middle of a job."""


class Worker:
    def __init__(self) -> None:
        self.stopping = False
        self.name = ""
        self._signed_on: Any = None
        self._kept_up = float("-inf")
        self._answers = True

    # --- The loop ---

    def run(self) -> None:
        """Until a signal comes; the job under way is finished first."""
        for which in (signal.SIGTERM, signal.SIGINT):
            signal.signal(which, self.stop)
        while not self.stopping:
            if not self.survive():
                time.sleep(POLL_S)

    def stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def survive(self) -> bool:
        """One step that outlives the database's being away: whether there was a job."""
        try:
            busy = self.step()
        except (DatabaseError, InterfaceError) as error:
            if not is_outage(error):
                raise
            if self._answers:
                logger.error("The database does not answer; jobs wait: %s", error)
            self._answers = False
            connection.close()
            return False
        if not self._answers:
            logger.warning("The database answers again; jobs go on.")
        self._answers = True
        return busy

    def step(self) -> bool:
        """Runs the next job: whether there was one."""
        self.sign_on()
        if time.monotonic() - self._kept_up > UPKEEP_S:
            self.upkeep()
        job = self.claimed()
        if job:
            self.perform(job)
        return job is not None

    def sign_on(self) -> None:
        """Learns who we are to the database, anew on each new connection."""
        connection.ensure_connection()
        if self._signed_on is not connection.connection:
            self.name = str(uuid.uuid4()) if settings.DATABASE_POOLED else query(SESSION)[0]
            self._signed_on = connection.connection
            schedule.know_all()

    def upkeep(self) -> None:
        self._kept_up = time.monotonic()
        self.take_back_abandoned()
        Job.objects.call_back()
        schedule.enqueue_due()

    # --- One job ---

    @transaction.atomic
    def claimed(self) -> Job | None:
        """The next job, ours from now on; another worker's are passed over."""
        job = Job.objects.waiting().select_for_update(skip_locked=True).first()
        if job:
            job.claim(self.name)
        return job

    def perform(self, job: Job) -> None:
        try:
            with time_limit(JOB_S):
                job.task.call(*job.args_kwargs["args"], **job.args_kwargs["kwargs"])
        except MailPutOff as later:
            job.put_off(later.seconds)
        except Exception as error:  # whatever a job raises is the job's failure, not the worker's
            note_failure(job, error)
        else:
            job.note_success()

    @transaction.atomic
    def take_back_abandoned(self) -> None:
        """Our own is one, too, where its outcome could not be written: we are not in the middle of any."""
        running = list(Job.objects.running().select_for_update(skip_locked=True)[:100])
        dead = self.dead_workers(running)
        for job in running:
            if job.worker in dead or not has_just_begun(job):
                note_failure(job, WorkerDied(f"The worker {job.worker} ended in the middle of this job."))

    def dead_workers(self, running: list[Job]) -> set[str]:
        """Those of ``running`` known to be gone. Call it with the jobs locked: so no worker that came since is among them."""
        workers = {job.worker for job in running}
        if not workers or settings.DATABASE_POOLED:
            return workers & {self.name}
        return workers - set(query(SESSIONS)) | workers & {self.name}


def has_just_begun(job: Job) -> bool:
    """Whether it may still run. One that is to begin later was begun while a clock was ahead."""
    return job.started_at is not None and abs(timezone.now() - job.started_at) <= ABANDONED


def note_failure(job: Job, error: BaseException) -> None:
    job.note_failure(error)
    if job.attempts >= MAX_ATTEMPTS:
        logger.error("The job %s was given up after %d attempts: %r", job.task_path, job.attempts, error)
    else:
        logger.warning("The job %s failed and will be tried again at %s: %r", job.task_path, job.run_after, error)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises JobTooLong in the block when it takes longer. In the main thread only."""

    def cut(number: int, frame: object) -> None:
        raise JobTooLong(f"It took longer than {seconds:.0f} s.")

    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def query(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()]
