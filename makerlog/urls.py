"""Composition root: every route of the service."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("tasks.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "makerlog.api.errors.bad_request"
handler403 = "makerlog.api.errors.permission_denied"
handler404 = "makerlog.api.errors.not_found"
handler500 = "makerlog.api.errors.server_error"
