"""By when the work of a thread or fibre must be done. Who waits for something outside (PostgreSQL above all) asks here."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from makerlog.gate.fibres import Own

SILENCE_S = 10.0  # where no deadline is set: how long one wait may go without a sign of life
TO_ANSWER_S = 0.5  # of a request's deadline, kept for saying what was waited for in vain
GRACE_S = 0.2  # what a wait gets however late it is, so that what answers at once is heard: a COMMIT, a ROLLBACK


class _Deadline:
    until: float | None = None  # monotonic seconds
    silence: float = SILENCE_S


_mine = Own(_Deadline)


def left() -> float:
    """Seconds that a wait of this thread may take from now."""
    mine = _mine()
    if mine.until is None:
        return mine.silence
    return max(mine.until - monotonic(), GRACE_S)


@contextmanager
def until(moment: float) -> Iterator[None]:
    """What this thread does within must be done by ``moment`` (monotonic seconds), or by an earlier one set around it."""
    mine = _mine()
    before = mine.until
    mine.until = moment if before is None else min(before, moment)
    try:
        yield
    finally:
        mine.until = before


def bound_silence(seconds: float) -> None:
    """From now on, where no deadline is set, a wait of this thread may go so long without a sign of life."""
    _mine().silence = seconds
