"""What the front door counts, over a real socket."""

from prometheus_client import REGISTRY

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from tests.gate.serving import Stuck, mirror, one_lane, says, serve, until


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"makerlog_{name}", labels) or 0.0


def test_each_request_is_counted_once_by_lane_and_outcome() -> None:
    cases = [
        ("200 OK", "anonymous", "served"),
        ("404 Not Found", "anonymous", "served"),
        ("429 Too Many", "anonymous", "throttled"),
        ("500 Oops", "anonymous", "failed"),
    ]
    for status, lane, outcome in cases:
        before = value("requests_total", lane=lane, outcome=outcome)
        queued = value("queue_seconds_count", lane=lane)
        with serve(FrontDoor(says(status, [], b"x"))) as service:
            service.get("/x")
        assert value("requests_total", lane=lane, outcome=outcome) == before + 1
        assert value("queue_seconds_count", lane=lane) == queued + 1


def test_what_is_shed_and_what_the_door_refuses_are_told_apart() -> None:
    stuck = Stuck()
    shed = value("requests_total", lane="anonymous", outcome="shed")
    refused = value("requests_total", lane="anonymous", outcome="refused")
    with serve(FrontDoor(stuck, limits=Limits(one_lane(1, 0), body=10))) as service, service.dial() as held:
        held.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: service.door.pool.running == 1)
        assert service.get("/x").status == 503
        assert service.ask("POST", "/x", b"x" * 11).status == 413
        stuck.go.set()
    assert value("requests_total", lane="anonymous", outcome="shed") == shed + 1
    assert value("requests_total", lane="anonymous", outcome="refused") == refused + 1


def test_how_full_everything_is_is_sampled() -> None:
    stuck = Stuck()
    with serve(FrontDoor(stuck)) as service, service.dial() as held:
        held.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: value("in_flight", lane="anonymous") == 1)
        assert value("connections") >= 1
        assert value("threads") == service.door.pool.size
        stuck.go.set()
        until(lambda: value("in_flight", lane="anonymous") == 0)


def test_the_loops_lag_is_measured() -> None:
    before = value("event_loop_lag_seconds_count")
    with serve(FrontDoor(mirror)):
        until(lambda: value("event_loop_lag_seconds_count") > before)
