"""A thread knows how long it may still wait."""

import threading
from time import monotonic

from makerlog.api.waiting import DatabaseUnavailable
from makerlog.gate import deadline
from makerlog.gate.wsgi import run


def near(seconds: float) -> bool:
    return seconds - 1 < deadline.left() <= seconds


def test_without_a_deadline_a_wait_is_bounded_all_the_same() -> None:
    assert deadline.left() == deadline.SILENCE_S


def test_the_earlier_of_two_deadlines_holds() -> None:
    with deadline.until(monotonic() + 5):
        assert near(5)
        with deadline.until(monotonic() + 2):
            assert near(2)
        with deadline.until(monotonic() + 50):
            assert near(5)
    assert deadline.left() == deadline.SILENCE_S


def test_who_is_late_still_hears_what_answers_at_once() -> None:
    with deadline.until(monotonic() - 60):
        assert deadline.left() == deadline.GRACE_S


def test_a_deadline_is_its_threads_own() -> None:
    seen: list[float] = []
    with deadline.until(monotonic() + 5):
        thread = threading.Thread(target=lambda: seen.append(deadline.left()))
        thread.start()
        thread.join()
    assert seen == [deadline.SILENCE_S]


def test_django_runs_under_the_deadline_of_its_request() -> None:
    seen: list[float] = []

    def app(environ, start_response):
        seen.append(deadline.left())
        start_response("200 OK", [])
        return [b""]

    environ = {"makerlog.request_id": "id", "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    run(app, environ, 100)
    run(app, environ | {"makerlog.deadline": deadline.Deadline(monotonic() + 3)}, 100)
    assert [round(seconds + deadline.TO_ANSWER_S) for seconds in seen] == [deadline.SILENCE_S, 3]
    assert deadline.left() == deadline.SILENCE_S


def test_a_request_that_waited_for_a_server_in_vain_is_refused_for_that_server() -> None:
    request = deadline.Deadline(monotonic() + 3)
    with deadline.of_request(request):
        assert isinstance(request.refusal, deadline.TooSlow)
        deadline.begin_wait(DatabaseUnavailable)
        assert isinstance(request.refusal, DatabaseUnavailable)
        deadline.end_wait()
        assert isinstance(request.refusal, deadline.TooSlow)
        deadline.begin_wait(DatabaseUnavailable)
    deadline.begin_wait(DatabaseUnavailable)  # of no request
    assert isinstance(request.refusal, DatabaseUnavailable)
