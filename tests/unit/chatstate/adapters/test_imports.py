"""Each in an interpreter of its own: this one has imported everything."""

import subprocess
import sys


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_without_chat_sdk_the_error_says_what_to_install() -> None:
    done = run("import sys; sys.modules['chat_sdk'] = None; from chatstate.adapters import *")

    assert done.returncode == 1
    assert "ModuleNotFoundError: chatstate.adapters needs Chat SDK: pip install chat-sdk" in (
        done.stderr
    )


def test_without_chat_sdk_the_package_can_be_imported() -> None:
    done = run("import sys; sys.modules['chat_sdk'] = None; import chatstate.adapters")

    assert done.returncode == 0, done.stderr


def test_the_remote_adapter_needs_no_django() -> None:
    done = run(
        "import sys; sys.modules['django'] = None; from chatstate.adapters import Remote"
        "StateAdapter; RemoteStateAdapter('http://localhost', 'token')"
    )

    assert done.returncode == 0, done.stderr
