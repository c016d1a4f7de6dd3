"""A process that has imported what `veil` imports, and forks once for each command line that it is asked to run.

``python -m tests.system.template FD``; `tests.system.forked` asks. A fork is a process like any other, with a session,
environment, folder and descriptors of its own, and ends as the interpreter ends. What it saves is the imports: two
seconds of CPU for each `veil serve`, of which the tests start many. Nothing else has run before the fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
from typing import Any

from proxy import cli

_LARGEST = 1 << 20


def _finished(saying: dict[int, int]) -> None:
    """Tell, for each fork that is over, its exit status: negative for a signal, as subprocess has it."""
    while saying:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        say = saying.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(say, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(say)


def _become(wanted: dict[str, Any], output: list[int]) -> None:
    """In the fork: what exec and Popen would have made of it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if wanted["session"]:
        os.setsid()
    for number, fd in enumerate((os.open(os.devnull, os.O_RDONLY), *output)):
        os.dup2(fd, number)
    os.closerange(3, 4096)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    tempfile.tempdir = None
    sys.argv = [cli.__file__, *wanted["arguments"]]
    gc.enable()


def _next(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each request. In a fork: what was asked for; None when there are no more."""
    saying: dict[int, int] = {}
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with control, selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                os.read(woken, _LARGEST)
                _finished(saying)
            if control not in ready:
                continue
            message, fds, _, _ = socket.recv_fds(control, _LARGEST, 3)
            if not message:
                return None
            if not (pid := os.fork()):
                return json.loads(message), fds[:2]
            saying[pid] = fds[2]
            os.write(fds[2], f"{pid}\n".encode())
            for fd in fds[:2]:
                os.close(fd)


if __name__ == "__main__":
    for module in dict.fromkeys(cli.VERBS.values()):
        importlib.import_module(f"proxy.commands.{module}")
    gc.collect()
    gc.disable()  # a collection would write to every page that a fork shares
    gc.freeze()
    if asked := _next(socket.socket(fileno=int(sys.argv[1]))):
        _become(*asked)
        cli.main()
