#!/usr/bin/env python
"""Django's commands. A wrong setting or an absent database is one sentence and exit code 1.

`manage.py quoted BASE64` takes its words encoded, each ended by a NUL: `dokku run` hands a command through two shells, which
take off quotes and obey what was between them. The command that deploy/setup-dokku.sh installs encodes them.
"""

import base64
import os
import sys

from django.core.management import execute_from_command_line
from django.db import InternalError, OperationalError

from makerlog.env import SettingError, drop_empty_variables


def main() -> int:
    drop_empty_variables()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    arguments = sys.argv[:1] + decode_words(sys.argv[2]) if sys.argv[1:2] == ["quoted"] else sys.argv
    if arguments[1:2] == ["worker"]:
        os.environ.setdefault("PROCESS", "worker")
    try:
        execute_from_command_line(arguments)
    except SettingError as error:
        sys.stderr.write(f"Error: {error}\n")
    except (OperationalError, InternalError) as error:  # the second: it takes no writes
        reason = str(error).strip().splitlines()[0]
        sys.stderr.write(
            f"Error: the database does not answer ({reason}); start it with `make run`, or set DATABASE_URL.\n"
        )
    else:
        return 0
    return 1


def decode_words(text: str) -> list[str]:
    """The words that ``text`` encodes. Raises ValueError."""
    return base64.b64decode(text, validate=True).decode().split("\0")[:-1]


if __name__ == "__main__":
    sys.exit(main())
