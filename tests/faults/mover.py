"""Moves stores to files and back until it is killed: ``python -m tests.faults.mover STORE...``.

It runs with the environment of a site, beside its processes. For each line that it reads it starts
a process that moves, which is quick, since Django is there already, and waits for its end. That one
prints a line for each move, with its process id, the store and where it is now.
"""

import itertools
import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

_AGAIN_EVERY_S = 0.05


def main(store_ids: Sequence[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncsite.settings")
    import django

    django.setup()
    from livesync.services import move  # noqa: F401 (what takes long to import)

    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _move_for_ever(store_ids)
        os.waitpid(pid, 0)


def _move_for_ever(store_ids: Sequence[str]) -> NoReturn:
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
                sys.stdout.write(f"{os.getpid()} {store_id} {place.value}\n")
                sys.stdout.flush()
    raise AssertionError("a cycle has no end")


if __name__ == "__main__":
    main(sys.argv[1:])
