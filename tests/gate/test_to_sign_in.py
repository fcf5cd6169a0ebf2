"""A browser that is refused a page of the admin is led to where staff sign in; nothing of it reaches the application."""

from ipaddress import ip_network
from typing import Any

import pytest

from makerlog.gate.banned import BanGuard, Banned
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.caller import Caller
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from makerlog.gate.pool import NoRoom, TooManyAtOnce
from makerlog.gate.strikes import TooManyRefusals
from makerlog.gate.to_sign_in import for_browser
from tests.gate.serving import says, serve

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BAN = Standing(1, ip_network("127.0.0.1/32"), "everything", 0.0)
STRANGER = Caller("93.184.216.7", "https")


def test_made_up_cookies_from_a_banned_address_never_reach_the_database() -> None:
    asked: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        return says("200 OK", [])(environ, start_response)

    bans = BanIndex()
    bans.put(BAN)
    with serve(FrontDoor(app, guard=BanGuard(bans, Notes()), known=lambda cookies: cookies == b"known")) as service:
        for number in range(30):
            reply = service.get("/admin/", BROWSER | {"Cookie": f"sessionid={number}; known={number}"})
            assert (reply.status, reply.headers["location"]) == (302, "/admin/login/?next=/admin/")
        assert asked == []
        assert service.get("/admin/", {"Cookie": "known"}).status == 200
        assert service.get("/tasks/", {"Cookie": "known"}).status == 403
        assert service.get("/admin/").status == 403, "a script"
    assert asked == ["/admin/"]


def test_a_browser_with_strikes_is_led_there_too() -> None:
    with serve(FrontDoor(says("404 Not Found", []), limits=Limits(strikes=1, strikes_back=0.01))) as service:
        service.get("/nowhere/")
        assert service.get("/admin/traffic/?x=1", BROWSER).headers["location"] == (
            "/admin/login/?next=/admin/traffic/%3Fx%3D1"
        )


@pytest.mark.parametrize("refusal", [Banned(BAN, "x@example.com"), TooManyRefusals(1), NoRoom(), TooManyAtOnce()])
def test_who_is_led_and_who_is_refused(refusal: Any) -> None:
    def is_led(caller: Caller, method: str = "GET", path: str = "/admin/", accept: str = "text/html") -> bool:
        return for_browser(refusal, caller, method, path, "", accept).status == 302

    assert is_led(STRANGER)
    assert is_led(STRANGER, path="/admin")
    assert is_led(STRANGER, "POST", "/admin/moderation/ban/")
    assert not is_led(STRANGER, accept="*/*")
    assert not is_led(STRANGER, path="/admin/login/"), "a loop"
    assert not is_led(STRANGER, path="/tasks/")
    assert not is_led(STRANGER, path="/administer/")
    assert not is_led(STRANGER._replace(ticket=True)), "a full lane is one for staff too"


def test_no_path_leads_elsewhere_or_writes_a_header() -> None:
    led = for_browser(NoRoom(), STRANGER, "GET", "/admin/\r\nX: y//evil.example", "a=\r\n&next=//evil", "text/html")
    (location,) = [value for name, value in led.answer("id").headers if name == b"location"]
    assert location.startswith(b"/admin/login/?next=/admin/")
    assert not {b"\r", b"\n", b"&"} & {bytes([each]) for each in location}
