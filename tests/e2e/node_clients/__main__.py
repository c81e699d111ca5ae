"""``python -m tests.e2e.node_clients --install``: what ``make test`` calls before the tests."""

import argparse
import sys

from tests.e2e.node_clients.cloudflare import ensure_cloudflare
from tests.e2e.node_clients.install import InstallError
from tests.e2e.node_clients.own_packages import ensure_own_packages


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.node_clients")
    parser.add_argument(
        "--install",
        action="store_true",
        required=True,
        help="install the npm packages of the lock file and our own, unless they are there",
    )
    parser.parse_args()
    try:
        ensure_own_packages()
        ensure_cloudflare()
    except InstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
