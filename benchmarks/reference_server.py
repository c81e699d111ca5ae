"""The reference of livesync: the published sync worker under workerd."""

from pathlib import Path

from benchmarks.workerd import WorkerdServer, build_package, package_versions

REFERENCE = Path(__file__).resolve().parent / "reference"


class ReferenceServer(WorkerdServer):
    """``@livestore/sync-cf`` as published, with the Durable Objects' SQLite files on disk.

    ``build_reference`` must have been called once.
    """

    name = "reference"
    node_package = REFERENCE
    configuration = REFERENCE / "workerd.capnp"


def build_reference() -> None:
    """Install the packages and bundle the worker, unless that is done.

    Raises:
        FileNotFoundError: npm is missing.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
    """
    build_package(REFERENCE, worker="worker.js")


def reference_versions() -> dict[str, str]:
    """The pinned versions of what makes the reference."""
    return package_versions(REFERENCE, ("@livestore/sync-cf", "effect", "workerd"))
