from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "makerlog.backups"
    label = "backups"
