"""Composition root: every route of the service."""

from django.contrib import admin
from django.urls import include, path

from makerlog.api.allowance import Allowance
from makerlog.api.docs import Docs, Schema, Welcome
from makerlog.api.health import Ready
from makerlog.api.metrics import Metrics

urlpatterns = [
    path("", Welcome.as_view()),
    path("health/ready/", Ready.as_view()),
    path("metrics/", Metrics.as_view()),
    path("schema/", Schema.as_view(), name="schema"),
    path("limits/", Allowance.as_view()),
    path("docs/", Docs.as_view(url_name="schema")),
    path("", include("products.urls")),
    path("", include("tasks.urls")),
    path("", include("discussions.urls")),
    path("", include("makerlog.exports.urls")),
    path("", include("makerlog.accounts.urls")),  # after what else is under /users/: users/<maker>/ takes any word
    path("admin/", admin.site.urls),
]

handler400 = "makerlog.api.errors.bad_request"
handler403 = "makerlog.api.errors.permission_denied"
handler404 = "makerlog.api.errors.not_found"
handler500 = "makerlog.api.errors.server_error"
