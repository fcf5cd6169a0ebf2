from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "makerlog.jobs"
    label = "jobs"

    def ready(self) -> None:
        from makerlog import content
        from makerlog.jobs.erasure import erase

        content.on_erase(erase)
