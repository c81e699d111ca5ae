"""Nothing that a test starts outlives the test run, even when that is killed with SIGKILL."""

import subprocess
from pathlib import Path

# stdin ends when the process that holds the other end of the pipe is gone, however it went. The
# last line tells the process group to kill, or is empty when that has ended in good order.
SCRIPT = """
while read -r line; do group=$line; done
[ -z "$group" ] || kill -s KILL -- "-$group"
rm -rf -- "$1"
"""


class Guardian:
    """A small process that waits for the end of this one, kills a server, removes its directory."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "guardian", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is not for it
            cwd="/",
        )

    def watch(self, group: int) -> None:
        """Kill this process group, and none that was named before, when this process ends."""
        self._tell(str(group))

    def rest(self) -> None:
        """There is nothing to kill now: a number that is free may soon be somebody else's."""
        self._tell("")

    def release(self) -> None:
        """Let it go; it still removes the directory if that is left."""
        if self._process.stdin and not self._process.stdin.closed:
            self.rest()
            self._process.stdin.close()
            self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
