"""``python -m benchmarks``: run the scenarios and print the tables."""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks import report, runner
from benchmarks.load import QUICK, Scale
from benchmarks.reference_server import build_reference
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.tables import servers_of

OPEN_FILES = 8_192


def main() -> None:
    """Run what the command line asks for; tables on stdout, progress on stderr."""
    options = _parse()
    _allow_open_files(OPEN_FILES)
    if "reference" in options.servers:
        build_reference()
    load_before = os.getloadavg()[0]
    scale = QUICK if options.quick else Scale()
    results: dict[str, runner.Results] = {}
    for scenario in options.only or SCENARIOS:
        servers = [name for name in servers_of(scenario) if name in options.servers]
        if servers:
            results[scenario] = _run(scenario, servers, scale, options.profile)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.stdout.write(report.markdown(results, scale, load_before=load_before) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=report.__doc__)
    parser.add_argument(
        "--only", action="append", choices=SCENARIOS, help="this scenario; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="short and rough: one round")
    parser.add_argument("--json", type=Path, help="write every figure to this file as well")
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        default=list(SERVERS),
        help="leave the other servers out",
    )
    parser.add_argument("--profile", type=Path, help="flame graphs of ours into this directory")
    return parser.parse_args()


def _run(scenario: str, servers: list[str], scale: Scale, profiles: Path | None) -> runner.Results:
    start = time.monotonic()
    sys.stderr.write(f"{scenario} on {', '.join(servers)} ... ")
    sys.stderr.flush()
    results = runner.run(scenario, servers, scale, profiles=profiles)
    sys.stderr.write(f"{time.monotonic() - start:.0f} s\n")
    return results


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
