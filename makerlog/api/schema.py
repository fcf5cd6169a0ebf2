"""OpenAPI from the same classes that answer."""

import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ListSerializer

from makerlog.api.errors import PROBLEM
from makerlog.api.pagination import BareKeysetPagination
from makerlog.api.preconditions import METHODS

ERROR = {
    "type": "object",
    "description": "`detail` and `code`; or, where fields are wrong, the name of each and what is wrong with it.",
    "properties": {"detail": {"type": "string"}, "code": {"type": "string"}},
    "additionalProperties": {},
}
THROTTLED = (
    "Too often: the limit that `detail` names is used up. Come back in `Retry-After` seconds. All answers, not this alone,"
    " carry the RateLimit headers; `/limits/` has the whole table, and `/me/refusals/` what one's own tokens were refused."
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` that GET of this address gave, or several, or `*`: the change is made only if that is still what"
    " GET gives you. Otherwise 412, and nothing was changed.",
)
CHANGED = "Its `ETag` is none of those in `If-Match` any more; read it again. The `code` is `precondition_failed`."
HEADERS = {
    name: {"description": description, "schema": {"type": kind}}
    for name, kind, description in (
        ("Retry-After", "integer", "Seconds until the same request fits."),
        ("RateLimit-Policy", "string", 'Every limit charged: `"token";q=6000;w=60` is 6000 units in any 60 seconds.'),
        ("RateLimit", "string", 'What is left: `"token";r=3990;t=1` is 3990 units, and all back in 1 second.'),
        ("X-RateLimit-Limit", "integer", "The quota of the limit nearest its end."),
        ("X-RateLimit-Remaining", "integer", "What is left of it."),
        ("X-RateLimit-Reset", "integer", "Seconds until all of it is back."),
    )
}


class AutoSchema(SpectacularAutoSchema):
    """Groups operations by the first word of their path. A list is known as checks.py knows it: by the order it declares."""

    view: Any  # an Endpoint

    def get_tags(self) -> list[str]:
        return [self.path.strip("/").split("/")[0]]

    def get_description(self) -> str:  # type: ignore[override]
        """Of the view itself: what its bases say is for those who write views."""
        return inspect.cleandoc(type(self.view).__doc__ or "")

    def get_paginated_name(self, serializer_name: str) -> str:
        """An envelope and a bare array are two things: under one name, the first of them would stand for both."""
        bare = issubclass(self.view.pagination_class, BareKeysetPagination)
        return f"{serializer_name}List" if bare else super().get_paginated_name(serializer_name)

    @property
    def is_page(self) -> bool:
        asked = self.method == "GET" and getattr(self.view, "action", "list") == "list"
        return asked and bool(self.view.order or self.view.filterset_class)

    def _is_list_view(self, serializer: Any = None) -> bool:
        if serializer is None:
            serializer = self.get_response_serializers()
        return self.is_page or isinstance(serializer, ListSerializer)

    def _get_paginator(self) -> Any:
        return super()._get_paginator() if self.is_page else None

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        """Also what errors.py answers, which every endpoint can."""
        error = ResolvedComponent("Error", ResolvedComponent.SCHEMA, ERROR, object="Error")
        self.registry.register_on_missing(error)
        content = {"application/json": {"schema": error.ref}, PROBLEM: {"schema": error.ref}}
        default = {"description": "An error.", "content": content}
        own = {"412": {"description": CHANGED, "content": content}} if self.method in METHODS else {}
        return {**super()._get_response_bodies(direction), **own, **self.throttled(content), "default": default}

    def get_override_parameters(self) -> list[Any]:
        return [IF_MATCH] if self.method in METHODS else []

    def throttled(self, content: dict[str, Any]) -> dict[str, Any]:
        if getattr(self.view, "unlimited", ""):
            return {}
        answer = {"description": THROTTLED, "headers": HEADERS, "content": content}
        component = ResolvedComponent("Throttled", ResolvedComponent.RESPONSE, answer, object="Throttled")
        self.registry.register_on_missing(component)
        return {"429": component.ref}

    def get_filter_backends(self) -> list[Any]:
        return super().get_filter_backends() if self.view.filterset_class else []
