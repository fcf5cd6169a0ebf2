from django.apps import AppConfig


class DiscussionsConfig(AppConfig):
    name = "discussions"

    def ready(self) -> None:
        from discussions.actions import erase_from_discussions, relist_discussions
        from makerlog import content

        content.on_relist(relist_discussions)
        content.on_erase(erase_from_discussions)
