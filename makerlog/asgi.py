"""The service: Django behind the front door. Composes what the gate must not import."""

from makerlog.wsgi import django

# isort: split
# Settings can be read from here on; a bad one has already been reported in one sentence.
from django.conf import settings

from discussions.consumers import DiscussionsOfSockets
from makerlog.accounts import identity
from makerlog.accounts.authentication import genuine_token
from makerlog.accounts.consumers import MakersOfSockets, TokensOfSockets
from makerlog.api import waiting
from makerlog.api.checks import routes
from makerlog.api.fast import FastPath
from makerlog.api.limits import LIMITS
from makerlog.exports.storage import admits
from makerlog.gate.access_log import AccessLog
from makerlog.gate.door import FrontDoor
from makerlog.gate.files import Folder, MediaFolder, PrivateFolder, StaticFolder
from makerlog.gate.limits import Limits, lanes
from makerlog.gate.proxies import Follower
from makerlog.live.hub import hub
from makerlog.routing import streams
from moderation import links, standing, watching
from moderation.judge import judge
from moderation.routes import refuse_stream, route_of
from moderation.sharing import AnswersOfRoutes
from tasks.consumers import TeamsOfSockets


def folders() -> dict[str, Folder]:
    """What is served from this disk; what is kept on S3-compatible storage is not."""
    found: dict[str, Folder] = {settings.STATIC_URL: StaticFolder(settings.STATIC_ROOT)}
    if not settings.MEDIA_S3_BUCKET:
        found[settings.MEDIA_URL] = MediaFolder(settings.MEDIA_ROOT)
    if not settings.EXPORTS_S3_BUCKET:
        found[settings.EXPORTS_URL] = PrivateFolder(settings.EXPORTS_ROOT, admits)
    return found


def hashing_paths() -> frozenset[str]:
    """Where a password is hashed."""
    return frozenset(f"/{route.path}" for route in routes() if getattr(route.view, "hashes_password", False))


def limits() -> Limits:
    """Those of the gate. What one address may take of shared answers and of files is said in the table of limits, for all
    processes."""
    shared, files, processes = LIMITS["shared"], LIMITS["files"], settings.WEB_CONCURRENCY
    ops = settings.PROCESS == "ops"
    return Limits(
        lanes(settings.OPS_THREADS if ops else settings.WEB_THREADS),
        fibres=0 if ops else settings.WEB_THREADS,
        shared_reads=max(1, shared.burst // processes),
        shared_reads_back=(shared.quota - shared.burst) / shared.window / processes,
        file_reads=max(1, files.burst // processes),
        file_reads_back=(files.quota - files.burst) / files.window / processes,
    )


waiting.install()
standing.talkers.routes.route_of = lambda path: route_of(path) or ""
access_log = AccessLog()
application = FrontDoor(
    django,
    trusted=settings.TRUSTED_PROXIES,
    folders=folders(),
    limits=limits(),
    guard=standing.guard,
    recognise=genuine_token,
    ticket=standing.tickets.admit,
    known=standing.tickets.know,
    link=links.key_of,
    hashing=hashing_paths(),
    services=[
        Follower([settings.TRUSTED_PROXIES, settings.CDN_RANGES]),
        standing.watcher,
        standing.teller,
        watching.alerts,
        hub,
        access_log,
    ],
    streams=streams,
    fast=FastPath(standing.is_open),
    switches=refuse_stream,
    shares=True,
    observers=[standing.talkers.observe, judge.conduct.observe, access_log, watching.floods],
)
standing.watcher.subscribers += [
    TokensOfSockets(application.sockets),
    MakersOfSockets(application.sockets),
    TeamsOfSockets(),
    DiscussionsOfSockets(),
    AnswersOfRoutes(application.forget_shared),
]
hub.listeners[identity.CHANGED] = identity.hear_change
standing.teller.judge = judge.judge
standing.watcher.listeners.append(application.bans_changed)
