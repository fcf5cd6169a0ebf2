"""The OpenAPI document at /schema/, and a page to read it on at /docs/, which loads nothing from another host."""

from typing import Any

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response


class JsonFirst(DefaultContentNegotiation):
    """JSON unless ``Accept`` asks for YAML; never a 406."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        wanted = "yaml" if "yaml" in request.META.get("HTTP_ACCEPT", "") else "json"
        renderer = next(each for each in renderers if each.format == wanted)
        return renderer, renderer.media_type


class Schema(SpectacularAPIView):
    bounded_by = "one document, as long as the list of routes"
    permission_classes = [AllowAny]
    content_negotiation_class = JsonFirst
    renderer_classes = [OpenApiJsonRenderer, OpenApiYamlRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def _get_version_parameter(self, request: Request) -> None:
        """There is one version. drf-spectacular would write ``?version=`` into a header as it was sent."""


class Docs(SpectacularSwaggerView):
    bounded_by = "one page"
    permission_classes = [AllowAny]
    content_negotiation_class = DefaultContentNegotiation
    renderer_classes = [TemplateHTMLRenderer]
