"""Makes the data ready for `make run`, in one Django process: `python -m deploy.prepare`.

Migrations and static files always. Into the embedded database, which is nobody's production, also a demo community
(when there are no makers yet), a demo token and an admin account. Token and password are kept under DATA_DIR/secrets.
"""

import contextlib
import hashlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, transaction

from makerlog.env import SettingError

DEMO = {"makers": 200, "tasks": 5000, "products": 60, "discussions": 80}
TOKEN_FILE = "demo_token"  # noqa: S105


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    try:
        prepare()
    except (SettingError, CommandError, OperationalError) as error:
        print(f"Error: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


def prepare() -> None:
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    collect_static()
    if settings.EMBEDDED_DATABASE:
        add_demo()
        call_command("ensure_admin")
        keep_token(settings.DATA_DIR / "secrets" / TOKEN_FILE)


def collect_static() -> None:
    """Collect the static files, unless they are as they were: hashing them all takes seconds."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    now = static_files_digest()
    if stamp.exists() and stamp.read_text() == now:
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(now)


def static_files_digest() -> str:
    """Changes with the name, size or time of any static file."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            facts = Path(storage.path(name)).stat()
            digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def add_demo() -> None:
    """All of it or, when it is interrupted, nothing: half a community would be taken for a whole one."""
    from django.contrib.auth import get_user_model

    if get_user_model()._default_manager.exists():
        return
    with transaction.atomic():
        call_command("demo", **DEMO)


def keep_token(path: Path) -> None:
    """A token of the maker ``demo`` in ``path``: the one that is there while it works, else a new one."""
    if path.exists() and token_works(path.read_text()):
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        call_command("create_token", "demo", name="make run")
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(printed.getvalue().strip())
    draft.rename(path)


def token_works(token: str) -> bool:
    """Asks the API's own authentication, so that an expired or revoked token is replaced."""
    from rest_framework.exceptions import APIException
    from rest_framework.settings import api_settings
    from rest_framework.test import APIRequestFactory
    from rest_framework.views import APIView

    schemes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    request = APIView().initialize_request(APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Token {token}"))
    try:
        return any(scheme().authenticate(request) for scheme in schemes)
    except APIException:
        return False


if __name__ == "__main__":
    sys.exit(main())
