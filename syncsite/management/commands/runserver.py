"""``manage.py runserver``: daphne with automatic reload, for development only."""

from typing import Any

from daphne.management.commands import runserver
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from syncsite import environment
from syncsite.errors import StartRefusedError
from syncsite.listening import refuse_exposure


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

    def run(self, **options: Any) -> None:
        # Django has read the address by now
        if not environment.flag("SYNCSITE_EXPOSE"):
            try:
                refuse_exposure(self.addr)
            except StartRefusedError as error:
                raise CommandError(str(error)) from error
        super().run(**options)
