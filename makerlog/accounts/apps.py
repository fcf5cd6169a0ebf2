from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "makerlog.accounts"
    label = "accounts"
