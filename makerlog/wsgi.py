"""Django as plain WSGI: what the front door runs in its threads, and what ``runserver`` runs by itself.

Booting happens here, once, for asgi.py too: settings, apps, and the system checks that a service must pass.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from django.core.handlers.wsgi import WSGIHandler
from django.core.management.base import SystemCheckError
from django.core.wsgi import get_wsgi_application

from makerlog.env import SettingError

# What gunicorn and uvicorn both mean by "failed to boot": gunicorn stops instead of trying for ever.
BOOT_ERROR = 3


def boot() -> WSGIHandler:
    """Django, ready to serve. Exits with one clear sentence when a setting or a check forbids it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    try:
        django = get_wsgi_application()
        # Not at the top: they need the settings and the apps.
        from makerlog.api.charset import Utf8Request
        from makerlog.api.checks import refuse_to_start_on_errors

        refuse_to_start_on_errors()
        django.request_class = Utf8Request
    except (SettingError, SystemCheckError) as error:
        sys.stderr.write(f"makerlog does not start: {error}\n")
        sys.exit(BOOT_ERROR)
    return django


def watched(django: WSGIHandler) -> WSGIApplication:
    """``django`` where nobody else starts the services: under runserver, or a plain WSGI server."""
    from moderation.standing import teller, watcher

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        watcher.start()
        teller.start()
        return django(environ, start_response)

    return application


django = boot()
application = watched(django)
