from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "makerlog.exports"
    label = "exports"

    def ready(self) -> None:
        from makerlog import content
        from makerlog.exports.erasure import erase

        content.on_erase(erase)
