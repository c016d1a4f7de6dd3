"""Syslog receivers as outlets: RFC 5424 messages over TLS (RFC 5425) and over UDP (RFC 5426). Blocking.

Syslog has no acknowledgement. Over TLS one is made of the end of a connection: a receiver that answers our close_notify
with its own has read all that came before. So a connection is ended now and then, and what was sent on one that ended
otherwise is sent again. UDP promises nothing, and nothing is promised of it.

Some receivers close without that answer (rsyslog with GnuTLS), as does a process that is killed: which kind it is is
found out with an empty connection first. Of those, TCP must end in order, and somebody must still listen.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
from collections.abc import Sequence

from proxy.audit.follow import Line
from proxy.audit.formats.entry import entry_of
from proxy.audit.formats.syslog import counted, message
from proxy.audit.forward import SinkDown, break_off, gently

_CHUNK = 1 << 16
#: how long a receiver may take for a chunk, to accept a connection, to end one
_SECONDS = 10.0
#: how long after the handshake a refusal may take that nothing else would tell
_VERDICT = 1.0


class _Syslog:
    """What both transports share."""

    rejected = 0

    def __init__(self, host: str, port: int, form: str, sender: str, most: int) -> None:
        """``form``: see `formats.syslog.MESSAGES`; ``sender``: HOSTNAME; ``most``: bytes of a message."""
        self._address, self._form, self._sender, self._most = (host, port), form, sender, most
        self._socket: socket.socket | None = None
        self._aborted = False

    def _messages(self, lines: Sequence[Line]) -> list[bytes]:
        entries = (entry_of(json.loads(line)) for line in gently(lines))
        return [message(entry, self._form, self._sender, self._most) for entry in entries]

    def abort(self) -> None:
        """As `Outlet.abort`."""
        self._aborted = True
        break_off(self._socket)

    def close(self) -> None:
        """As `Outlet.close`."""
        found, self._socket = self._socket, None
        if found is not None:
            found.close()


class SyslogTls(_Syslog):
    """One receiver over TLS."""

    batch, unconfirmed, seconds = 500, 5000, 10.0

    def __init__(
        self, host: str, port: int, form: str, sender: str, most: int, tls: ssl.SSLContext, patience: float = _SECONDS
    ) -> None:
        """``tls``: asked anew for each connection, so that it may change; ``patience``: seconds for each step."""
        super().__init__(host, port, form, sender, most)
        self._tls, self._patience = tls, patience
        self._answers: bool | None = None

    def send(self, lines: Sequence[Line]) -> None:
        """As `Outlet.send`."""
        data = memoryview(b"".join(map(counted, self._messages(lines))))
        try:
            connection = self._connected()
            while data:
                connection.sendall(data[:_CHUNK])
                data = data[_CHUNK:]
        except OSError as error:
            self._answers = None
            self.close()
            raise SinkDown(_code(error)) from None

    def confirm(self) -> None:
        """As `Outlet.confirm`: the connection ends, and the next `send` makes another."""
        found = self._socket
        if found is None:
            raise SinkDown("closed")
        try:
            answered = _ended(found)
            self.close()
            if not answered and self._answers:
                raise ConnectionAbortedError
            if not answered:
                _ended(self._opened())
        except OSError as error:
            self._answers = None
            raise SinkDown(_code(error)) from None
        finally:
            self.close()

    def _connected(self) -> socket.socket:
        if self._answers is None:
            first = self._opened()
            _accepted(first)
            self._answers = _ended(first)
            self.close()
        return self._socket or self._opened()

    def _opened(self) -> socket.socket:
        if self._aborted:
            raise ConnectionAbortedError
        plain = socket.create_connection(self._address, self._patience)
        try:
            made = self._tls.wrap_socket(plain, server_hostname=self._address[0], do_handshake_on_connect=False)
        except OSError:
            plain.close()
            raise
        self._socket = made  # before the handshake, so that this can be broken off
        made.do_handshake()
        return made


def _accepted(connection: socket.socket) -> None:
    """OSError where the receiver refuses our certificate: in TLS 1.3 its alert comes after the handshake.

    To `_ended` an alert is as good as an answer. One who accepts us sends tickets in its place, or nothing.
    """
    patience = connection.gettimeout()
    connection.settimeout(0)
    select.select([connection], [], [], _VERDICT)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.recv(_CHUNK)
    connection.settimeout(patience)


def _ended(connection: socket.socket) -> bool:
    """End TLS from our side and wait for the other: whether it answered, or TCP just ended. OSError for a reset."""
    assert isinstance(connection, ssl.SSLSocket)
    try:
        connection.unwrap().close()
    except ssl.SSLEOFError:
        return False
    except OSError as error:
        if error.errno in (0, None) and not isinstance(error, ssl.SSLError | TimeoutError):
            return False  # the same, as older versions of OpenSSL tell it
        raise
    return True


class SyslogUdp(_Syslog):
    """One receiver over UDP: what is sent is taken for received."""

    batch, unconfirmed, seconds = 100, 1, 0.0

    def send(self, lines: Sequence[Line]) -> None:
        """As `Outlet.send`."""
        try:
            connection = self._connected()
            for each in self._messages(lines):
                connection.send(each)
        except OSError as error:
            raise SinkDown(_code(error)) from None

    def confirm(self) -> None:
        """Nothing is known of what was sent."""

    def _connected(self) -> socket.socket:
        if self._socket is None:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            found = socket.socket(family, kind, protocol)
            found.settimeout(_SECONDS)
            found.connect(address)
            self._socket = found
        return self._socket


def _code(error: OSError) -> str:
    """What went wrong, in a word that says nothing of the other side."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "name" if isinstance(error, socket.gaierror) else "connection"
