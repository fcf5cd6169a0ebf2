from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from makerlog import content
        from tasks.erasure import erase
        from tasks.visibility import announce_rename, relist

        content.on_relist(relist)
        content.on_rename(announce_rename)
        content.on_erase(erase)
