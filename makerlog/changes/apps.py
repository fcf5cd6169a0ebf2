from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "makerlog.changes"
    label = "changes"
