from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "makerlog.api"
    label = "api"

    def ready(self) -> None:
        from makerlog.api import checks, connections  # noqa: F401  (registers the checks; needs the app registry)
