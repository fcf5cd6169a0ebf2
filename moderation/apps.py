from django.apps import AppConfig
from django.contrib.admin import apps as admin  # by its module: what is imported by name here, Django takes for ours


class ModerationConfig(AppConfig):
    name = "moderation"

    def ready(self) -> None:
        from makerlog import content
        from makerlog.accounts import staff
        from moderation.by_api import ByApi
        from moderation.erasure import erase

        content.on_erase(erase)
        staff.register(ByApi())


class SiteConfig(admin.AdminConfig):
    """Django's own admin app, with our site in it."""

    default = False  # of `django.contrib.admin`, that is, not of this package
    default_site = "moderation.site.Site"
