"""The supervisor, with workers whose application cannot start."""

import subprocess
import sys

SUPERVISE = """
from uvicorn import Config
from syncsite.listening import listen
from syncsite.workers import run_workers

config = Config("tests.integration.syncsite.failing_application:application", lifespan="on",
                workers=2, log_config=None)
print(run_workers(config, listen("127.0.0.1", 0)))
"""


def test_workers_that_cannot_start_are_not_started_again_and_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISE], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "False"
    assert "failed to start, stopping the parent process" in done.stderr
