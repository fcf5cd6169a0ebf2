"""Makes the control's tables and rows: `CONTROL_DATABASE_URL=... python -m tests.attack.floods.control.fill`.

Prints one line of JSON: the tokens of ten makers.
"""

import json
import os

import django
from django.core.management import call_command

ROWS = 4000
MAKERS = 10


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.attack.floods.control.settings"
    django.setup()
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    from tests.attack.floods.control.models import Task

    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0, run_syncdb=True)  # the control's own table, which has no migration
    User.objects.create_superuser("admin", "", "control")
    makers = [User.objects.create(username=f"maker{number}") for number in range(MAKERS)]
    Task.objects.bulk_create(Task(author=makers[n % MAKERS], content=f"Task {n} of the log") for n in range(ROWS))
    print(json.dumps([Token.objects.create(user=maker).key for maker in makers]))  # noqa: T201


if __name__ == "__main__":
    main()
