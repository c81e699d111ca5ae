"""In an interpreter of its own: this one has imported everything."""

import subprocess
import sys

CODE = """
import sys

sys.modules["django"] = None
from livesync.client import AsyncClient, Client

AsyncClient("notes", "http://localhost")
with Client("notes", "ws://localhost"):
    pass
"""


def test_a_remote_client_needs_no_django() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
