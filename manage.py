#!/usr/bin/env python3
"""Django's command line, on the development settings unless DJANGO_SETTINGS_MODULE names others."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncsite.settings")
    # after the above, which they read
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # the production settings give their reasons so; a traceback would bury them
        sys.exit(f"ImproperlyConfigured: {error}")


if __name__ == "__main__":
    main()
