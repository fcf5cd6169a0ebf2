"""Composition root: every stream of the service, with or without the slash at its end."""

from channels.routing import URLRouter
from django.urls import path, re_path

from discussions.consumers import DiscussionStream, RepliesStream
from makerlog.gate.reception import nothing_there
from tasks.consumers import ExploreStream, MakerTaskStream, OwnTaskStream, ProductStream

# By the names that they are switched by. Two share theirs with a route of the URLconf, and its switch.
STREAMS = {
    "explore/stream/": ExploreStream.as_asgi(),
    "stream/": OwnTaskStream.as_asgi(),
    "users/<str:maker>/stream/": MakerTaskStream.as_asgi(),
    "products/<str:slug>/stream/": ProductStream.as_asgi(),
    "discussions/": RepliesStream.as_asgi(),
    "discussions/<slug:slug>/": DiscussionStream.as_asgi(),
}

streams = URLRouter(
    [
        *(path(route, stream) for route, stream in STREAMS.items()),
        *(path(route.removesuffix("/"), stream) for route, stream in STREAMS.items()),
        re_path(r"", nothing_there),  # type: ignore[arg-type]
    ]
)
