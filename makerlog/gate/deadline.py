"""By when the work of a thread or fibre must be done. Who waits for something outside (PostgreSQL above all) asks here."""

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


class until:  # a context, as contextlib has them; a generator would take three times as long
    """What this thread does within must be done by ``moment`` (monotonic seconds), or by an earlier one set around it."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def __enter__(self) -> None:
        mine = _mine()
        self.before = mine.until
        mine.until = self.moment if self.before is None else min(self.before, self.moment)

    def __exit__(self, *raised: object) -> None:
        _mine().until = self.before


def bound_silence(seconds: float) -> None:
    """From now on, where no deadline is set, a wait of this thread may go so long without a sign of life."""
    _mine().silence = seconds
