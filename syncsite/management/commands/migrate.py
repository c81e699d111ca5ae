"""``manage.py migrate``, for every database of the site."""

from typing import Any

from django.core.management import CommandError, CommandParser
from django.core.management.commands import migrate

from syncsite.database_router import alias_of
from syncsite.errors import StartRefusedError
from syncsite.preparation import held, separate_aliases


class Command(migrate.Command):
    """Django's command migrates one database unless told otherwise, and the site has three.

    Without ``--database`` this one migrates all of them, and an app that is named on the database
    which holds its tables. It makes the data directory first, and refuses where ``serve`` would.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        return {**super().get_check_kwargs(options), "databases": _aliases(options)}

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with held():
                for alias in _aliases(options):
                    super().handle(*args, **options | {"database": alias})
        except StartRefusedError as error:
            raise CommandError(str(error)) from error


def _aliases(options: dict[str, Any]) -> list[str]:
    if options["database"]:
        return [options["database"]]
    if options["app_label"]:
        return [alias_of(options["app_label"])]
    return separate_aliases()
