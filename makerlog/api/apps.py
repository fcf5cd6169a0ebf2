from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "makerlog.api"
    label = "api"

    def ready(self) -> None:
        from makerlog.api import checks, connections, production  # noqa: F401  (registers checks; needs the app registry)
