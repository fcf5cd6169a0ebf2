from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "makerlog.jobs"
    label = "jobs"
