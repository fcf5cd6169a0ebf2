from django.apps import AppConfig
from django.conf import settings


class ApiConfig(AppConfig):
    name = "makerlog.api"
    label = "api"

    def ready(self) -> None:
        from makerlog.api import checks, connections, production  # noqa: F401  (registers checks; needs the app registry)
        from makerlog.api.reporting import report_to

        report_to(settings.SENTRY_DSN)
