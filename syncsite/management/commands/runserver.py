"""``manage.py runserver``: daphne with automatic reload, for development only."""

from typing import Any

from daphne.management.commands import runserver
from django.conf import settings
from django.core.management.base import CommandError, CommandParser


class Command(runserver.Command):  # type: ignore[misc] # daphne is untyped
    """daphne's command, found here so that daphne need not be an installed app.

    As one it would load Twisted into every process, 25 MB that only this command uses.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(use_static_handler=False)  # our middleware serves static files

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("runserver is for development; in production use: manage.py serve")
        super().handle(*args, **options)
