"""``manage.py serve``: the site with everything it needs, in the foreground."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncsite import environment
from syncsite.errors import StartRefusedError
from syncsite.serving import ServeOptions, serve


class Command(BaseCommand):
    help = "Prepare the data directory and the databases, and serve the site with uvicorn."

    def add_arguments(self, parser: CommandParser) -> None:
        for option, variable, meaning in (
            ("--host", "HOST", "address to listen on"),
            ("--port", "PORT", "port to listen on; 0 takes a free one"),
            ("--workers", "WORKERS", "processes; more than one needs REDIS_URL"),
        ):
            parser.add_argument(option, dest=variable, help=f"{meaning} (or {variable})")
        parser.add_argument(
            "--expose",
            dest="SYNCSITE_EXPOSE",
            action="store_true",
            help="open a development site to the local network (or SYNCSITE_EXPOSE=1)",
        )

    def handle(self, **options: Any) -> None:
        # an option is its variable by another name, which worker processes see as well
        for variable in ("HOST", "PORT", "WORKERS"):
            if options[variable] is not None:
                os.environ[variable] = options[variable]
        if options["SYNCSITE_EXPOSE"] and not environment.flag("SYNCSITE_EXPOSE"):
            # the settings look at this one, and they are loaded already
            os.environ["SYNCSITE_EXPOSE"] = "1"
            os.execv(sys.executable, sys.orig_argv)
        try:
            code = serve(ServeOptions.from_environment(), sys.stdout)
        except StartRefusedError as error:
            raise CommandError(str(error)) from error
        if code:
            sys.exit(code)
