"""Gives development an account that may enter the admin."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from makerlog.env import development_secret


class Command(BaseCommand):
    help = "Ensures that the maker `admin` may enter the admin with the password in DATA_DIR/secrets/admin_password."

    def handle(self, *args: Any, **options: Any) -> None:
        """Only for the embedded database: nobody wants an account with a printed password in another one."""
        if not settings.EMBEDDED_DATABASE:
            raise CommandError("DATABASE_URL is set, and this is for development; use createsuperuser.")
        password = development_secret(settings.DATA_DIR, "admin_password")
        makers = get_user_model()._default_manager
        admin = makers.filter(username="admin").first()
        if admin is None:
            makers.create_superuser("admin", "admin@localhost", password)
        elif not (admin.is_staff and admin.is_superuser and admin.is_active and admin.check_password(password)):
            admin.is_staff = admin.is_superuser = admin.is_active = True
            admin.set_password(password)
            admin.save()
