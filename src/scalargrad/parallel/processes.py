"""Local worker processes, each with a pipe of its own, which are replaced when they die.

Python's pools give a task to any free process, and break when a process dies. Here, the caller
chooses the process, so that each can keep its share of the data.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Any

from scalargrad.errors import WorkerError
from scalargrad.parallel.worker import Reply, Request, answer, failure

#: How long a process looks out for the next request before it sleeps, in seconds. The core of a
#: process that sleeps is taken away, or slowed down, and takes milliseconds to come back.
_AWAKE = 2e-3
#: How many processes may die over a request before it fails.
_ATTEMPTS = 3


class Member:
    """A worker process and the parent's end of its pipe.

    Parameters
    ----------
    awake : float
        How long it looks out for the next request before it sleeps, in seconds.
    """

    def __init__(self, awake: float) -> None:
        context: Any = multiprocessing.get_context()
        self._owner = os.getpid()
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, awake), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        """Kill the process, whatever it is doing; in a process that was forked, leave it alone.

        Before its pipe is closed: it would print that it could not reply.
        """
        if self._owner == os.getpid():
            self.process.kill()
            self.process.join()
        self.connection.close()


class Processes:
    """A number of worker processes, started when first needed.

    Parameters
    ----------
    count : int

    Notes
    -----
    The start method is the default of `multiprocessing`, or that chosen by `set_start_method`.
    The processes end with this object.

    Attributes
    ----------
    lock : Lock
        For whoever sends requests, until all replies are there.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._awake = _AWAKE if count <= available() else 0.0  # else others need the core
        self.begin()
        _all.add(self)

    def begin(self) -> None:
        """Have no processes yet."""
        self.lock = threading.Lock()
        self.members: dict[int, Member] = {}
        self._under_way: dict[int, tuple[Request, int]] = {}
        self._given_up: list[tuple[int, Request, Reply]] = []
        weakref.finalize(self, _stop, self.members)

    def send(self, place: int, request: Request, attempts: int = _ATTEMPTS) -> None:
        """Send a request to a process, which must have answered all earlier ones."""
        self._under_way[place] = request, attempts
        if place not in self.members:
            self.members[place] = Member(self._awake)
        try:
            self.members[place].connection.send_bytes(pickle.dumps(request))
        except (BrokenPipeError, ConnectionResetError):
            self._replace(place)

    def receive(self) -> Iterable[tuple[int, Request, Reply]]:
        """Wait for replies, and return them with the indices of their processes and the requests.

        If one process after the other dies over a request, the reply is a `Failure`.
        """
        if self._given_up:
            given_up, self._given_up = self._given_up, []
            return given_up
        members = {self.members[i].connection: i for i in self._under_way}
        found = []
        for connection in wait(list(members)):
            place = members[connection]
            try:
                reply = self.members[place].connection.recv_bytes()
            except (EOFError, OSError):  # also within a reply
                self._replace(place)
                continue
            request, _ = self._under_way.pop(place)
            found.append((place, request, _read(reply)))
        return found

    def close(self) -> None:
        """Kill the processes, whatever they are doing; they start again when needed."""
        self._under_way.clear()
        self._given_up.clear()
        _stop(self.members)

    def _replace(self, place: int) -> None:
        """Replace a process that has died, and send its request to the new one."""
        dead = self.members.pop(place)
        dead.stop()
        request, attempts = self._under_way.pop(place)
        if attempts > 1:
            self.send(place, request, attempts - 1)
            return
        error = WorkerError(
            f"{_ATTEMPTS} worker processes died over it, one after the other, the last "
            f"{_end(dead.process.exitcode)}"
        )
        self._given_up.append((place, request, failure(error)))


def _read(reply: bytes) -> Reply:
    try:
        found: Reply = pickle.loads(reply)
    except Exception as error:  # noqa: BLE001 - whatever the class of a result does
        return failure(error)
    return found


_all: weakref.WeakSet[Processes] = weakref.WeakSet()


def _begin_all() -> None:
    """Begin anew in a process that was forked.

    It would take replies to requests of its parent, or wait for a thread of the parent's.
    """
    for processes in list(_all):
        processes.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)


def _end(code: int | None) -> str:
    """Say how a process ended, and what that may mean."""
    if code is not None and code < 0:
        names = {x.value: x.name for x in signal.Signals}
        by = names.get(-code, f"signal {-code}")
        return f"killed by {by}: it may take more memory than there is, or crash Python"
    if code == 1:
        return (
            "with exit code 1: see what it printed. Where processes are spawned, as on macOS and "
            "Windows, a program must call this only below if __name__ == '__main__':"
        )
    return f"with exit code {code}: it may end the process by itself, as os._exit does"


def _stop(members: dict[int, Member]) -> None:
    while members:
        members.popitem()[1].stop()


def serve(connection: Connection, awake: float) -> None:
    """Answer requests until the parent closes its end of the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    if (drawing := sys.modules.get("numpy.random")) is not None:
        drawing.seed()  # a forked process would draw what all others draw; Python sees to its own
    parent = parent_process()
    assert parent is not None
    while True:
        try:
            if not _is_asked_within(connection, awake):
                wait([connection, parent.sentinel])
            if not connection.poll():
                return
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send_bytes(_answered(request))


def _is_asked_within(connection: Connection, seconds: float) -> bool:
    """Return whether a request comes within so many seconds, without sleeping meanwhile."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if connection.poll():
            return True
        if hasattr(os, "sched_yield"):
            os.sched_yield()  # to the parent, which is to read the reply and may need this core
    return False


def _answered(request: bytes) -> bytes:
    try:
        return pickle.dumps(answer(pickle.loads(request)))
    except Exception as error:  # noqa: BLE001 - a result that cannot be pickled, say
        return pickle.dumps(failure(error))


def available() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
