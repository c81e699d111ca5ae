"""The limit of open files, in processes of its own: what is lowered cannot always be raised."""

import resource
import subprocess
import sys

import pytest

from syncsite.open_files_limit import ENOUGH, raise_open_files_limit

PROGRAM = """
import resource, sys
from syncsite.open_files_limit import raise_open_files_limit

soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_open_files_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(256, 512), (512, 512)])
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int) -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert allowed == resource.RLIM_INFINITY or allowed >= hard

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "512 512\n"


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1_024, 1_048_576), (ENOUGH, 1_048_576)),
        ((1_024, resource.RLIM_INFINITY), (ENOUGH, resource.RLIM_INFINITY)),
        ((100_000, 1_048_576), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_no_more_is_taken_than_is_enough(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: tuple[int, int] | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))

    raise_open_files_limit()

    assert asked == ([] if raised is None else [raised])
