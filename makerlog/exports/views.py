"""All that is one's own, to take along."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.accounts.reauthentication import Sensitive
from makerlog.accounts.serializers import WithPassword
from makerlog.accounts.views import NO_HEAD
from makerlog.api.budgets import WRITE
from makerlog.api.views import ApiView
from makerlog.exports.actions import begin_export
from makerlog.exports.models import Export
from makerlog.exports.permissions import ReadsAll
from makerlog.exports.serializers import ExportSerializer, described
from makerlog.exports.storage import storage


class MyExport(Sensitive, ApiView):
    """All that is one's own, as ZIP files of JSON and uploads: profile, tokens (without their secrets), tasks, projects,
    products, discussions, replies, comments, praise given, whom one follows. Packed in the background: 202 while it is under
    way, 200 with links once it is there. GET answers with the one there is, and begins one where there is none; POST begins
    a new one. It takes a token that may read everything, and a log-in token of the last hour; POST takes the account's
    password as `password` in its place."""

    scope = "user"
    budgets = dict.fromkeys(("get", "post"), WRITE)
    permission_classes = [ReadsAll]
    serializer_class = ExportSerializer
    bounded_by = "one export"
    price = "write"
    whole_caller = True
    http_method_names = NO_HEAD

    def get(self, request: Request) -> Response:
        self.reauthenticate()
        current = Export.objects.filter(maker=self.caller).first()
        if current is None or not (current.is_ready or current.is_under_way):
            return self.begin_new()
        return self.told(current)

    @extend_schema(request=WithPassword)
    def post(self, request: Request) -> Response:
        self.reauthenticate(self.validated(WithPassword).get("password", ""))
        return self.begin_new()

    def begin_new(self) -> Response:
        current = Export.objects.filter(maker=self.caller, finished_at=None).first()
        if current is None or not current.is_under_way:
            self.charge("export")
            current = begin_export(maker=self.caller)
        return self.told(current)

    def told(self, export: Export) -> Response:
        links = [storage().url(name) for name in export.files] if export.is_ready else []
        response = self.answer(described(export, links), status=200 if export.is_ready else 202)
        response["Cache-Control"] = "no-store"
        return response
