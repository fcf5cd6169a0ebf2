"""A sign of life for whoever watches from outside: it comes as long as PostgreSQL, the queue and a worker do their part."""

import logging
import urllib.error
import urllib.request

from django.conf import settings

log = logging.getLogger("makerlog.jobs")

PATIENCE_S = 5.0


def beat() -> int:
    """Asks for HEARTBEAT_URL. That nobody answers is for the watcher to notice: the next beat comes in a minute."""
    try:
        with urllib.request.urlopen(settings.HEARTBEAT_URL, timeout=PATIENCE_S):  # noqa: S310  (the operator's own)
            pass
    except (urllib.error.URLError, OSError) as error:
        log.warning("HEARTBEAT_URL does not answer: %s", error)
    return 0
