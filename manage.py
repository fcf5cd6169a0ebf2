#!/usr/bin/env python
"""Django's commands. A wrong setting or an absent database is one sentence and exit code 1."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from makerlog.env import SettingError, drop_empty_variables


def main() -> int:
    drop_empty_variables()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    if sys.argv[1:2] == ["worker"]:
        os.environ.setdefault("PROCESS", "worker")
    try:
        execute_from_command_line(sys.argv)
    except SettingError as error:
        sys.stderr.write(f"Error: {error}\n")
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        sys.stderr.write(
            f"Error: the database does not answer ({reason}); start it with `make run`, or set DATABASE_URL.\n"
        )
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
