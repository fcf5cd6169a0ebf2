from django.apps import AppConfig


class ControlConfig(AppConfig):
    name = "tests.attack.floods.control"
    label = "control"
