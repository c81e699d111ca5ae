"""Moves stores to files and back for ever: ``python -m tests.faults.mover STORE...``.

It runs with the environment of a site, beside its processes, and prints a line for each move.
"""

import itertools
import os
import sys
import time

_AGAIN_EVERY_S = 0.05


def main(store_ids: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncsite.settings")
    import django

    django.setup()
    from livesync.models import Place
    from livesync.protocol.errors import StorageUnavailableError, StoreNotFoundError
    from livesync.services.move import move_store

    for place in itertools.cycle((Place.FILES, Place.DATABASE)):
        for store_id in store_ids:
            try:
                for _ in move_store(store_id, place):
                    pass
            except (StorageUnavailableError, StoreNotFoundError):
                time.sleep(_AGAIN_EVERY_S)  # nobody has pushed yet, or the database is busy
            else:
                sys.stdout.write(f"{store_id} {place.value}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
