"""The queue, run within a test: what waits now is done when this returns."""

from makerlog.jobs.worker import Worker


def run_jobs() -> int:
    """How many there were. Jobs that fail are put off, as ever."""
    worker, done = Worker(), 0
    while job := worker.claimed():
        worker.perform(job)
        done += 1
    return done
