"""Local worker processes, each behind a pipe of its own, and replaced when it is killed.

Python's own pools hand a task to whichever process is free, and break when one dies. Here a
process is chosen, so that it can keep its share of the data.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import weakref
from collections.abc import Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Any

from scalargrad.errors import WorkerError
from scalargrad.parallel.worker import Reply, Request, answer, failure

#: How often a request is passed to another process before it is given up.
_ATTEMPTS = 3


class Member:
    """A worker process and this end of its pipe."""

    def __init__(self) -> None:
        context: Any = multiprocessing.get_context()
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        self.process.kill()
        self.process.join()


class Processes:
    """So many worker processes, started when they are first needed.

    Parameters
    ----------
    count : int

    Notes
    -----
    The start method is that of `multiprocessing`: the platform's, or what `set_start_method`
    has said. Processes end with this object.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._members: dict[int, Member] = {}
        self._under_way: dict[int, tuple[Request, int]] = {}
        self._given_up: list[tuple[int, Request, Reply]] = []
        weakref.finalize(self, _stop, self._members)

    def send(self, place: int, request: Request, attempts: int = _ATTEMPTS) -> None:
        """Give a request to the process at a place, which has answered all before."""
        self._under_way[place] = request, attempts
        if place not in self._members:
            self._members[place] = Member()
        try:
            self._members[place].connection.send_bytes(pickle.dumps(request))
        except (BrokenPipeError, ConnectionResetError):
            self._replace(place)

    def receive(self) -> Iterable[tuple[int, Request, Reply]]:
        """Wait for answers, and return them with the places they come from.

        A request over which one process after the other died is answered by a failure.
        """
        if self._given_up:
            given_up, self._given_up = self._given_up, []
            return given_up
        members = {self._members[i].connection: i for i in self._under_way}
        found = []
        for connection in wait(list(members)):
            place = members[connection]
            try:
                reply: Reply = pickle.loads(self._members[place].connection.recv_bytes())
            except (EOFError, ConnectionResetError):
                self._replace(place)
                continue
            request, _ = self._under_way.pop(place)
            found.append((place, request, reply))
        return found

    def close(self) -> None:
        """End the processes, whatever they are doing; they start again when needed."""
        self._under_way.clear()
        self._given_up.clear()
        _stop(self._members)

    def _replace(self, place: int) -> None:
        """Put another process in the place of one that has died, and give it the request."""
        dead = self._members.pop(place)
        dead.stop()
        request, attempts = self._under_way.pop(place)
        if attempts > 1:
            self.send(place, request, attempts - 1)
            return
        error = WorkerError(
            f"{_ATTEMPTS} worker processes died over it, the last with exit code "
            f"{dead.process.exitcode}: it takes too much memory, or crashes"
        )
        self._given_up.append((place, request, failure(error)))


def _stop(members: dict[int, Member]) -> None:
    while members:
        members.popitem()[1].stop()


def _serve(connection: Connection) -> None:
    """Answer requests until the other end is closed, or the process that holds it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of who sent the work
    parent = parent_process()
    assert parent is not None
    while connection in wait([connection, parent.sentinel]):
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send_bytes(_answered(request))


def _answered(request: bytes) -> bytes:
    try:
        return pickle.dumps(answer(pickle.loads(request)))
    except Exception as error:  # noqa: BLE001 - a result that cannot be pickled, say
        return pickle.dumps(failure(error))


def available() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
