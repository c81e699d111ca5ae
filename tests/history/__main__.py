"""``python -m tests.history FILE``: judge a written history, which must hold its final logs."""

import sys
from pathlib import Path

from tests.history.checker import check
from tests.history.history import History


def main(path: Path) -> int:
    """Print what is wrong with the history in a file; 1 when anything is."""
    history = History.load(path)
    findings = check(history, history.logs())
    for finding in findings:
        print(finding)
    print(f"{len(history.pushes())} pushes, {len(history.pulls())} pulls, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
