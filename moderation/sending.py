"""Sends one message to ALERT_URLS: `python -m moderation.sending`, told on standard input as JSON.

A process of its own: the library takes a second and some 36 MB to load, a receiver that hangs is killed with it, and neither
is the business of a process that serves. Knows no Django and no database.
"""

import json
import sys


def main() -> int:
    import apprise

    told = json.load(sys.stdin)
    sender = apprise.Apprise()
    bad = [number for number, url in enumerate(told["urls"], 1) if not sender.add(url)]
    if bad:  # a URL holds a secret: it is named by its place
        sys.stderr.write(f"ALERT_URLS: no address that alerts can go to: number {', '.join(map(str, bad))}.\n")
    sent = bool(len(sender)) and sender.notify(title=told["title"], body=told["body"])
    return 0 if sent and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
