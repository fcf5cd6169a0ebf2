"""Shows how routes are answered, and switches one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import end_of
from moderation.durations import DEFAULT, FOR_GOOD
from moderation.models import RouteSwitch
from moderation.routes import ABOUT, State, UnknownRoute, current, route_named

LONGEST_MESSAGE = RouteSwitch._meta.get_field("message").max_length or 0


class Command(BaseCommand):
    help = "Without a name: lists all routes. Without a state: shows one. With both: switches it, in every process."

    def add_arguments(self, parser: CommandParser) -> None:
        states = "; ".join(f"{state}: {about}" for state, about in ABOUT.items())
        parser.add_argument("name", nargs="?", help="as listed (users/<str:maker>/), or a path (/users/alice/)")
        parser.add_argument("state", nargs="?", choices=State.values, metavar="state", help=states)
        parser.add_argument(
            "--for",
            dest="span",
            default="",
            metavar="2h",
            help=f"then open again; {FOR_GOOD}: until it is switched; default: {DEFAULT}",
        )
        parser.add_argument("--message", default="", help="told to those refused")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] is None:
            self.show(current())
            return
        route = named(options["name"])
        if options["state"]:
            switch(route, options["state"], options["span"], options["message"])
        elif options["span"] or options["message"]:
            raise CommandError(f"Say which state /{route} shall have: {', '.join(State.values)}.")
        self.show([row for row in current() if row.route == route])
        if options["state"]:
            self.stdout.write(f"In force in every process within a second: {ABOUT[State(options['state'])]}.")

    def show(self, rows: list[RouteSwitch]) -> None:
        for row in rows:
            self.stdout.write(described(row))


def named(text: str) -> str:
    try:
        return route_named(text)
    except UnknownRoute as error:
        raise CommandError(str(error)) from error


def switch(route: str, state: str, span: str, message: str) -> None:
    if state == State.OPEN and (span or message):
        raise CommandError("An open route has no end and no message; leave --for and --message out.")
    if len(message) > LONGEST_MESSAGE:
        raise CommandError(f"--message is {len(message)} characters long; at most {LONGEST_MESSAGE} are kept.")
    end = None if state == State.OPEN else end_of(span or DEFAULT)
    actions.switch_route(route=route, state=state, message=message, expires_at=end)


def described(row: RouteSwitch) -> str:
    """One line: state, name; and since when, until when, by whom and with what message it is not open."""
    line = f"{row.state:<11}  /{row.route}"
    if row.state == State.OPEN:
        return line
    until = f" until {row.expires_at:%Y-%m-%d %H:%M:%S}" if row.expires_at else ""
    by = row.author.username if row.author else "a command"
    return f"{line}  since {row.changed_at:%Y-%m-%d %H:%M:%S}{until} (UTC), by {by}  {row.message}".rstrip()
