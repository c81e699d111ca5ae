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
from benchmarks.suite import Results, Suite
from benchmarks.suites import SUITES

OPEN_FILES = 8_192
SCENARIOS = [name for suite in SUITES.values() for name in suite.scenarios]
SERVERS = list(dict.fromkeys(name for suite in SUITES.values() for name in suite.servers))


def main() -> None:
    """Run what the command line asks for; tables on stdout, progress on stderr."""
    options = _parse()
    _allow_open_files(OPEN_FILES)
    load_before = os.getloadavg()[0]
    scale = QUICK if options.quick else Scale()
    suites = [SUITES[name] for name in options.suite]
    results: dict[str, Results] = {}
    for suite in suites:
        results |= _run_suite(suite, options, scale)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.stdout.write(report.markdown(results, suites, scale, load_before=load_before))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=report.__doc__)
    parser.add_argument(
        "--suite", action="append", choices=SUITES, help="this suite; all unless named"
    )
    parser.add_argument(
        "--only", action="append", choices=SCENARIOS, help="this scenario; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="short and rough: one round")
    parser.add_argument("--json", type=Path, help="write every figure to this file as well")
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        default=SERVERS,
        help="leave the other servers out",
    )
    parser.add_argument("--profile", type=Path, help="flame graphs of ours into this directory")
    options = parser.parse_args()
    options.suite = options.suite or list(SUITES)
    return options


def _run_suite(suite: Suite, options: argparse.Namespace, scale: Scale) -> dict[str, Results]:
    chosen = {
        scenario: [name for name in suite.servers_of(scenario) if name in options.servers]
        for scenario in suite.scenarios
        if not options.only or scenario in options.only
    }
    suite.prepare({name for servers in chosen.values() for name in servers})
    return {
        scenario: _run(suite, scenario, servers, scale, options.profile)
        for scenario, servers in chosen.items()
        if servers
    }


def _run(
    suite: Suite, scenario: str, servers: list[str], scale: Scale, profiles: Path | None
) -> Results:
    start = time.monotonic()
    sys.stderr.write(f"{scenario} on {', '.join(servers)} ... ")
    sys.stderr.flush()
    results = runner.run(suite, scenario, servers, scale, profiles=profiles)
    sys.stderr.write(f"{time.monotonic() - start:.0f} s\n")
    return results


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
