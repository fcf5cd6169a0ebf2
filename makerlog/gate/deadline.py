"""By when the work of a thread or fibre must be done. Every wait for something outside (PostgreSQL above all) asks here."""

from time import monotonic

from makerlog.gate.answers import Refusal
from makerlog.gate.fibres import Own

SILENCE_S = 10.0  # where no deadline is set: how long one wait may go without a sign of life
TO_ANSWER_S = 0.5  # of a request's deadline, kept for writing the refusal
GRACE_S = 0.2  # what a wait gets however late it is, so that an answer that is ready is read: a COMMIT, a ROLLBACK


class TooSlow(Refusal):
    """The whole request took longer than its lane allows."""

    status = 503
    code = "too_slow"
    outcome = "shed"
    detail = "This took too long; try again in a moment, or ask for less."
    retry_after = 5


class Deadline:
    """A request's. Its work sets ``waits_for`` in a thread; the event loop reads it.

    ``moment``: by when the request is answered, in monotonic seconds. ``waits_for``: what to refuse it with if that moment
    comes first, while its work waits for a server outside; None while it waits for none.
    """

    __slots__ = ("moment", "waits_for")

    def __init__(self, moment: float) -> None:
        self.moment = moment
        self.waits_for: type[Refusal] | None = None

    @property
    def refusal(self) -> Refusal:
        return (self.waits_for or TooSlow)()


class _Own:
    until: float | None = None  # monotonic seconds
    silence: float = SILENCE_S
    request: Deadline | None = None


_mine = Own(_Own)


def left() -> float:
    """Seconds that a wait of this thread may take from now."""
    mine = _mine()
    if mine.until is None:
        return mine.silence
    return max(mine.until - monotonic(), GRACE_S)


def begin_wait(refusal: type[Refusal]) -> None:
    """This thread waits for what ``refusal`` is about, until ``end_wait``. A wait in vain has no end: it is why the request
    is late, however long the rest takes."""
    request = _mine().request
    if request is not None:
        request.waits_for = refusal


def end_wait() -> None:
    request = _mine().request
    if request is not None:
        request.waits_for = None


class until:  # a context, as contextlib has them; a generator would take three times as long
    """What this thread does within must be done by ``moment`` (monotonic seconds), or by an earlier one set around it."""

    def __init__(self, moment: float, request: Deadline | None = None) -> None:
        self.moment = moment
        self.request = request

    def __enter__(self) -> None:
        mine = _mine()
        self.before = mine.until, mine.request
        mine.until = self.moment if mine.until is None else min(mine.until, self.moment)
        mine.request = self.request or mine.request

    def __exit__(self, *raised: object) -> None:
        mine = _mine()
        mine.until, mine.request = self.before


def of_request(request: Deadline) -> until:
    """The context of a request's work: it ends early enough for the refusal to be written."""
    return until(request.moment - TO_ANSWER_S, request)


def bound_silence(seconds: float) -> None:
    """From now on, where no deadline is set, a wait of this thread may go so long without a sign of life."""
    _mine().silence = seconds
