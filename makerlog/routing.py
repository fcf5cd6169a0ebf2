"""Composition root: every stream of the service, with or without the slash at its end."""

from channels.routing import URLRouter
from django.urls import re_path

from discussions.consumers import DiscussionStream, RepliesStream
from makerlog.gate.reception import nothing_there
from tasks.consumers import ExploreStream, MakerTaskStream, OwnTaskStream, ProductStream

streams = URLRouter(
    [
        re_path(r"^explore/stream/?$", ExploreStream.as_asgi()),
        re_path(r"^stream/?$", OwnTaskStream.as_asgi()),
        re_path(r"^users/(?P<maker>[^/]+)/stream/?$", MakerTaskStream.as_asgi()),
        re_path(r"^products/(?P<slug>[^/]+)/stream/?$", ProductStream.as_asgi()),
        re_path(r"^discussions/?$", RepliesStream.as_asgi()),
        re_path(r"^discussions/(?P<slug>[^/]+)/?$", DiscussionStream.as_asgi()),
        re_path(r"", nothing_there),  # type: ignore[arg-type]
    ]
)
