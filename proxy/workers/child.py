"""A worker process: ``python -m proxy.workers.child FD PARENT``. Started by `proxy.workers.begun`, never by hand.

Confines itself, imports the engine and warms up, reads its set-up from the socket FD, then answers one instance after
the other until the socket closes. It may read the mapped instance and its own code, and writes to the socket only. It
keeps nothing between instances.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from proxy.lean import import_pydicom, uncollected, without
from proxy.workers import confine

if TYPE_CHECKING:
    from proxy.workers.bench import Bench


def main(arguments: list[str]) -> int:
    """Set up and serve; a set-up that fails is answered with a text without values."""
    sock = socket.socket(fileno=int(arguments[0]))
    confine.confine(int(arguments[1]))
    with uncollected():
        problem = _warmed()  # the parent reads its rules meanwhile
        from proxy.workers import protocol

        try:
            told, _ = protocol.receive(sock, plain=False, most=sys.maxsize)
        except EOFError:  # the parent cannot start after all
            return 0
        ready = _made(told, problem)
    if isinstance(ready, str):
        protocol.send(sock, ("failed", ready))
        return 1
    protocol.send(sock, ("ready", confine.resident()))
    serve(sock, ready)
    return 0


def _warmed() -> Exception | None:
    """Half a second of imports and kernels; and what went wrong with them, to be told when the parent has spoken."""
    import_pydicom()
    with without("cffi", "yaml"):  # numba would have them, for functions and settings that are not ours
        from proxy.workers import bench

        try:
            bench.warm()
        except Exception as error:  # noqa: BLE001 - a worker's shell: told when the parent has spoken
            return error
    return None


def _made(told: bytes, problem: Exception | None) -> Bench | str:
    """The bench, or what is the matter; the parent decides what a worker that cannot start means."""
    from proxy.errors import VeilError
    from proxy.workers.bench import Bench
    from proxy.workers.setup import unpacked

    setup = unpacked(told)
    confine.limit_files(setup.memory_bytes)
    try:
        if problem is not None:
            raise problem
        return Bench(setup)
    except Exception as error:  # noqa: BLE001 - a worker's shell: the parent decides what it means
        return type(error).__name__ + (f": {error}" if isinstance(error, VeilError) else "")


def serve(sock: socket.socket, bench: Bench) -> None:
    """Answer jobs until the parent closes the socket."""
    from proxy.workers import protocol
    from proxy.workers.reply import Reply, send_reply

    while True:
        try:
            job, fd = protocol.receive(sock, plain=False)
        except EOFError:
            return
        try:
            verdict = bench.run(job, fd)
        finally:
            os.close(fd)
        send_reply(sock, Reply(verdict, confine.resident()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
