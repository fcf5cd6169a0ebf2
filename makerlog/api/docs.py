"""The OpenAPI document at /schema/, and a page to read it on at /docs/, which loads nothing from another host."""

from functools import lru_cache

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer, URLField

from makerlog.api.budgets import DOCUMENT, ONE
from makerlog.api.renderers import AlwaysJSON
from makerlog.api.views import ApiView

RENDERERS = {"json": OpenApiJsonRenderer(), "yaml": OpenApiYamlRenderer()}


@lru_cache
def document(kind: str) -> bytes:
    """The document as ``json`` or ``yaml``. Made once per process: it costs 0.1 s, and the routes do not change."""
    written = RENDERERS[kind].render(SchemaGenerator().get_schema(request=None, public=True), renderer_context={})
    return written.encode() if isinstance(written, str) else written


class Schema(ApiView):
    """JSON unless ``Accept`` asks for YAML; never a 406."""

    budgets = {"get": DOCUMENT}
    bounded_by = "one document, as long as the list of routes"
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        kind = "yaml" if "yaml" in request.META.get("HTTP_ACCEPT", "") else "json"
        return HttpResponse(document(kind), content_type=RENDERERS[kind].media_type)


class Docs(SpectacularSwaggerView):
    budgets = {"get": DOCUMENT}
    bounded_by = "one page"
    permission_classes = [AllowAny]
    content_negotiation_class = AlwaysJSON
    renderer_classes = [TemplateHTMLRenderer]


class WelcomeSerializer(Serializer):
    docs = URLField()
    schema = URLField()
    health = URLField()


class Welcome(ApiView):
    """Where to begin."""

    budgets = {"get": ONE}
    bounded_by = "three links"
    permission_classes = [AllowAny]
    serializer_class = WelcomeSerializer

    def get(self, request: Request) -> Response:
        paths = {"docs": "/docs/", "schema": "/schema/", "health": "/health"}
        return Response({name: f"{settings.PUBLIC_URL}{path}" for name, path in paths.items()})
