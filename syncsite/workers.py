"""Several server processes behind one listening socket."""

import signal
import socket
from typing import Any

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from syncsite.server import WorkerServer
from syncsite.shared_metrics import forget_gauges_of

_JOIN_STEP_S = 0.1
_STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


class Worker(multiprocess.Process):
    """A worker process that runs our server instead of uvicorn's."""

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        # until the server handles signals itself: Ctrl+C is the supervisor's
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        super().target(sockets)

    @property
    def server(self) -> WorkerServer:
        if self._server is None:
            self._server = WorkerServer(self.config)
        assert isinstance(self._server, WorkerServer)
        return self._server


class Supervisor(multiprocess.Multiprocess):
    """Keeps the workers running; passes on SIGTERM and Ctrl+C, and at the second one kills."""

    def terminate_all(self) -> None:
        # or new clients would wait here, in a queue that nobody empties any more
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for worker in before:
            if worker not in self.processes and worker.pid is not None:
                forget_gauges_of(worker.pid)

    def join_all(self) -> None:
        for worker in self.processes:
            while worker.process.is_alive():
                if _STOP_SIGNALS.intersection(self.signal_queue):
                    worker.process.kill()
                worker.process.join(_JOIN_STEP_S)


def run_workers(config: Config, listener: socket.socket) -> bool:
    """Serve until told to stop.

    Returns:
        False if it stopped because a worker could not start.
    """
    # uvicorn names its own class wherever it starts a worker
    replaced: Any = multiprocess
    replaced.Process = Worker
    supervisor = Supervisor(config, [listener])
    supervisor.run()
    return all(worker.exitcode != STARTUP_FAILURE for worker in supervisor.processes)
