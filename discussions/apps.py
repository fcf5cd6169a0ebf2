from django.apps import AppConfig


class DiscussionsConfig(AppConfig):
    name = "discussions"

    def ready(self) -> None:
        from discussions.erasure import erase
        from discussions.visibility import relist
        from makerlog import content

        content.on_relist(relist)
        content.on_erase(erase)
