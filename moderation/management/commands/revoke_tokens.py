"""Revokes tokens by whatever is known of them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from makerlog.accounts.models import AccessToken
from moderation.arguments import maker_called, moment, network_called
from moderation.revocation import NothingChosen, Selection
from moderation.revoking import RevokingCommand


class Command(RevokingCommand):
    help = "Revokes the live tokens that all of the options given select, and tells their owners by mail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--token", default="", metavar="PREFIX", help="mkl_ and 11 characters, or the whole text")
        parser.add_argument("--user", default="", metavar="NAME")
        parser.add_argument("--from", dest="network", default="", metavar="CIDR", help="where they were last used from")
        parser.add_argument("--issued-between", nargs=2, default=(), metavar=("A", "B"), help="ISO 8601; UTC if unsaid")
        parser.add_argument("--kind", action="append", choices=AccessToken.Kind.values, help="only these; repeatable")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = selection(options).chosen()
        except NothingChosen as error:
            raise CommandError(str(error)) from error
        self.revoke(chosen, options["reason"], options)


def selection(options: dict[str, Any]) -> Selection:
    return Selection(
        token=options["token"],
        maker=maker_called(options["user"]) if options["user"] else None,
        network=network_called(options["network"]) if options["network"] else None,
        issued=tuple(map(moment, options["issued_between"])) or None,  # type: ignore[arg-type]
        kinds=tuple(options["kind"] or ()),
    )
