"""The fast path of ordinary reads: the view itself, without what Django and DRF build around it.

A compiled list or detail is read by the same code on either path: ``Endpoint.initial`` authenticates, permits, charges and
sets the time zone; the handler reads; the renderer writes. What is left out here is what an ordinary GET has no use for
(sessions, forms, content negotiation, seventeen middlewares), and takes three times as long as the read itself.

Whatever is not ordinary takes the slow path, which alone has words for it: an unusual header, a switched route, and any
exception. What was charged by then stands in the environ, and is not charged again. So the fast path answers 200, or 304 to
who has it already, or nothing. Its headers are those that the slow path gave to the first such request; only what is one
answer's own is said anew.
"""

import logging
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, SuspiciousOperation, SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db import Error as DatabaseError
from django.http import Http404, QueryDict
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from prometheus_client import Counter
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from makerlog.api import cost
from makerlog.api.budgets import Budget, budget_of
from makerlog.api.checks import Route, routes
from makerlog.api.errors import is_too_slow
from makerlog.api.etags import tag_of
from makerlog.api.parameters import IGNORED
from makerlog.api.throttling import account_in, headers
from makerlog.api.views import FAULT
from makerlog.api.waiting import Silent
from makerlog.gate.answers import RATE_LIMITS, Answer, Headers
from makerlog.gate.fibres import Elsewhere, in_fibre
from makerlog.gate.sharing import has_it
from makerlog.gate.wsgi import PUBLIC_FOR, Environ

logger = logging.getLogger("makerlog.fast")

READS = Counter("makerlog_fast_reads", "Reads that the fast path was made for, by whether it took them.", ["taken"])
TAKEN, LEFT = READS.labels("yes"), READS.labels("no")

# Asks for something else than a view's answer to everybody's question.
UNUSUAL = frozenset(
    "CONTENT_TYPE HTTP_COOKIE HTTP_IF_MODIFIED_SINCE HTTP_IF_MATCH HTTP_IF_UNMODIFIED_SINCE HTTP_RANGE"
    " HTTP_X_HTTP_METHOD_OVERRIDE HTTP_EXPECT".split()
)
# Headers that say something of one answer; all others are the same for all answers of a kind.
OF_ONE_ANSWER = {
    name: name.lower().encode() for name in (*RATE_LIMITS, "Content-Length", "X-Request-Id", "ETag", "Link", IGNORED)
}
KIND = "makerlog.kind"  # in an environ: the kind of answer, whose headers the slow path may know better
MOST_KINDS = 2_000
FEW = 50  # parameters; of more, Django decides whether there are too many

ORDINARY = (
    APIException,
    Http404,
    PermissionDenied,
    SuspiciousOperation,
    ObjectDoesNotExist,
    DatabaseError,
    Resolver404,
)

# Whether nothing stands in the way of a request to a route: it is not switched, and its caller not banned meanwhile.
IsOpen = Callable[[str, Environ], bool]


class Read(NamedTuple):
    """A route whose GET is compiled. ``callback``: as the URLconf has it; ``handler``: the name of what answers."""

    route: str
    callback: Any
    handler: str
    budget: Budget | None


class Known(NamedTuple):
    """What all ordinary answers of a kind have in common. ``tagged``: whether each has an ETag. ``unchanged``: of those to
    who has it already, if there was one yet."""

    headers: Headers
    tagged: bool
    unchanged: Headers | None = None


class FastPath:
    """``answer`` an environ, or ask the slow path and let it ``learn`` from that."""

    def __init__(self, is_open: IsOpen) -> None:
        self.is_open = is_open
        self.reads = {route.path: read_of(route) for route in routes() if is_compiled(route)}
        self.fixed = {f"/{path}": read for path, read in self.reads.items() if leads_to(path)}
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        self._lock = Lock()

    def answer(self, environ: Environ) -> Answer | None:
        """None: the slow path's turn. Raises nothing, but Elsewhere in a fibre."""
        if environ["REQUEST_METHOD"] != "GET" or environ["CONTENT_LENGTH"] != "0" or not UNUSUAL.isdisjoint(environ):
            return None
        found = self.find(environ["PATH_INFO"])
        if found is None or environ["SCRIPT_NAME"] or not self.is_open(found[0].route, environ):
            return None
        answer = self.read(*found, environ)
        (LEFT if answer is None else TAKEN).inc()
        return answer

    def find(self, path: str) -> tuple[Read, dict[str, Any]] | None:
        """What answers a path, and what the path names."""
        if fixed := self.fixed.get(path):
            return fixed, {}
        try:
            match = resolve(path) if path.isascii() else None
        except Resolver404:
            return None
        read = self.reads.get(match.route) if match else None
        return read and (read, match.kwargs)  # type: ignore[union-attr]

    def read(self, read: Read, kwargs: dict[str, Any], environ: Environ) -> Answer | None:
        kind = kind_of(read.route, environ)
        known = self._known.get(kind)
        environ[KIND] = kind  # where it is left to the slow path
        if known is None:
            return None
        try:
            return answered(read, kwargs, environ, known)
        except OperationalError as error:
            # What took the database too long once is not asked of it again; the slow path has the words for it.
            environ[FAULT] = error if is_too_slow(error) or isinstance(error.__cause__, Silent) else None
            return None
        except SynchronousOnlyOperation:  # Django would have held the loop up
            raise Elsewhere from None
        except ORDINARY:  # the slow path has the words for it
            return None
        except Exception:
            logger.exception("The fast path failed on %s; the slow path takes over.", environ["PATH_INFO"])
            return None

    def learn(self, environ: Environ, answer: Answer) -> None:
        """How the slow path answered: its headers are the next answer's, too."""
        kind = environ.get(KIND)
        if kind is None or any(name == b"set-cookie" for name, _ in answer.headers):
            return
        known = self._known.get(kind)
        common = [each for each in answer.headers if each[0] not in OF_ONE_ANSWER.values()]
        if answer.status == 200:
            tagged = any(name == b"etag" for name, _ in answer.headers)
            self._keep(kind, Known(common, tagged, known.unchanged if known else None))
        elif answer.status == 304 and known is not None:
            self._keep(kind, known._replace(unchanged=common))

    def _keep(self, kind: Hashable, known: Known) -> None:
        with self._lock:
            self._known[kind] = known
            if len(self._known) > MOST_KINDS:
                self._known.popitem(last=False)


def is_compiled(route: Route) -> bool:
    """Whether GET is a list or a detail, and reads only."""
    reads = route.lists or (route.ours and route.reader == "retrieve" and not route.view.bounded_by)
    return reads and route.view.price != "write"


def read_of(route: Route) -> Read:
    return Read(route.path, route.callback, route.reader or "", budget_of(route.callback, "GET"))


def leads_to(path: str) -> bool:
    """Whether a route without parameters is what its own path leads to."""
    try:
        return "<" not in path and resolve(f"/{path}").route == path
    except Resolver404:
        return False


def kind_of(route: str, environ: Environ) -> Hashable:
    """All that the headers of an ordinary answer depend on. ALLOWED_HOSTS has let in whatever Host is known."""
    said = environ.get
    return route, said("HTTP_HOST"), said("HTTP_ORIGIN"), "HTTP_AUTHORIZATION" in environ, environ["wsgi.url_scheme"]


def answered(read: Read, kwargs: dict[str, Any], environ: Environ, known: Known) -> Answer | None:
    """``made``, on a thread's connection or a fibre's own. A fibre keeps the time zone that the last read set: nothing runs
    in it but reads, and each sets its own first (``Endpoint.begin``)."""
    if in_fibre():
        return made(read, kwargs, environ, known)
    # No question whether the connection still stands: where it does not, reading says so, and the slow path opens another.
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.health_check_done = True
    try:
        return made(read, kwargs, environ, known)
    finally:
        timezone.deactivate()
        let_go(database)


def made(read: Read, kwargs: dict[str, Any], environ: Environ, known: Known) -> Answer | None:
    """As the view has it, and raises what the view raises. None: to who has it already, in words not known yet."""
    spent = cost.begin()
    view = view_of(read, environ, kwargs)
    let_in(view)
    response = getattr(view, read.handler)(view.request, **kwargs)
    body = rendered(view, response)
    view.say_whose(view.request, response)
    environ |= spent.told(read.route)
    tag = tag_of(body) if known.tagged else ""
    said = {**response.headers, IGNORED: view.ignored} if view.ignored else response.headers
    if has_it(environ.get("HTTP_IF_NONE_MATCH", "").encode("latin-1"), tag.encode()):
        common = known.unchanged
        if common is None:
            return None
        spent.hold(read.route, read.budget, 0)
        account_in(environ).settle(spent.seconds, unchanged=True)
        return Answer(304, [*common, *own_headers(said, tag, environ)], b"")
    spent.hold(read.route, read.budget, len(body))
    account_in(environ).settle(spent.seconds)
    own = own_headers(said, tag, environ)
    whole = [*known.headers, *own, (b"content-length", b"%d" % len(body))]
    return Answer(200, whole, body, environ.get(PUBLIC_FOR, 0.0))


def let_in(view: Any) -> None:
    """As ``initial`` does it, without the choice of a format, of which there is one."""
    view.perform_authentication(view.request)
    view.check_permissions(view.request)
    view.begin(view.request)


def let_go(database: Any) -> None:
    """What Django does with the connection at the end of a request: one that failed or is too old is closed."""
    if not database.in_atomic_block:  # as within a test
        database.close_if_unusable_or_obsolete()


def own_headers(said: Mapping[str, str], tag: str, environ: Environ) -> Headers:
    """Of this one answer: its links, and how the limits stand that it was charged to."""
    standings = account_in(environ).standings
    own = headers(standings.values()) if standings else {}
    own |= {name: said[name] for name in ("Link", IGNORED) if name in said}
    if tag:
        own["ETag"] = tag
    found = [(OF_ONE_ANSWER[name], value.encode("latin-1")) for name, value in own.items()]
    return [*found, (b"x-request-id", environ["makerlog.request_id"].encode())]


def view_of(read: Read, environ: Environ, kwargs: dict[str, Any]) -> Any:
    """As ``as_view`` sets one up."""
    view = read.callback.cls(**read.callback.initkwargs)
    view.request, view.args, view.kwargs, view.headers = PlainRequest(environ, view), (), kwargs, {}
    if hasattr(read.callback, "actions"):
        view.action = read.handler
    view.response_class = PlainResponse
    return view


def rendered(view: Any, response: "Response | PlainResponse") -> bytes:
    body = view.get_renderers()[0].render(response.data, None, {"view": view, "response": response})
    if response.status_code != 200:
        raise APIException
    return body


class PlainResponse:
    """Of DRF's response, what is looked at here."""

    def __init__(self, data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.status_code = status
        self.headers = headers or {}


class PlainRequest:
    """Of DRF's request, what reads look at; of Django's too, for those who ask for ``_request``. Its view holds it, and is
    held by whoever serves it: were it held here too, all that a request made would wait for the collector of garbage."""

    method = "GET"

    def __init__(self, environ: Environ, view: Any) -> None:
        self.META = environ
        self.path = environ["PATH_INFO"]
        self.headers = Sent(environ)
        self._view = weakref.ref(view)

    @property
    def _request(self) -> "PlainRequest":
        return self

    @cached_property
    def query_params(self) -> MultiValueDict[str, str]:
        return params_of(self.META["QUERY_STRING"])

    @property
    def GET(self) -> MultiValueDict[str, str]:
        return self.query_params

    @property
    def parser_context(self) -> dict[str, Any]:
        return {"view": self._view()}

    @cached_property
    def _identity(self) -> tuple[Any, Any]:
        view: Any = self._view()
        found = (each.authenticate(self) for each in view.get_authenticators())
        return next(filter(None, found), None) or (AnonymousUser(), None)

    @property
    def user(self) -> Any:
        return self._identity[0]

    @property
    def auth(self) -> Any:
        return self._identity[1]


class Params(MultiValueDict[str, str]):
    """Django's own, which is asked of many names that are not there."""

    def get(self, key: str, default: Any = None) -> Any:
        values = dict.get(self, key)
        return values[-1] if values else default


def params_of(query: str) -> MultiValueDict[str, str]:
    """As Django's QueryDict reads them, of what nobody changes, in half the time."""
    if not query.isascii() or query.count("&") > FEW:
        return QueryDict(query.encode("latin-1"), encoding="utf-8")
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return Params(found)


class Sent:
    """The headers of a request by name."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ

    def get(self, name: str, default: Any = None) -> Any:
        return self.environ.get(f"HTTP_{name.upper().replace('-', '_')}", default)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None
