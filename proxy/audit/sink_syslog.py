"""Syslog receivers as outlets: RFC 5424 messages over TLS (RFC 5425) and over UDP (RFC 5426). Blocking.

Syslog has no acknowledgement. Over TLS one is made of the end of a connection: after our close_notify the receiver
closes, and TCP closes in order (no reset) only where everything was read. So a connection is ended now and then, and
what was sent on one that ended otherwise is sent again. UDP promises nothing, and nothing is promised of it.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Sequence

from proxy.audit.follow import Line
from proxy.audit.formats.entry import entry_of
from proxy.audit.formats.syslog import counted, message
from proxy.audit.forward import SinkDown

_CHUNK = 1 << 16
#: how long a receiver may take for a chunk, to accept a connection, to end one
_SECONDS = 10.0


class _Syslog:
    """What both transports share."""

    rejected = 0

    def __init__(self, host: str, port: int, form: str, sender: str, most: int) -> None:
        """``form``: see `formats.syslog.MESSAGES`; ``sender``: HOSTNAME; ``most``: bytes of a message."""
        self._address, self._form, self._sender, self._most = (host, port), form, sender, most
        self._socket: socket.socket | None = None

    def _messages(self, lines: Sequence[Line]) -> list[bytes]:
        entries = (entry_of(json.loads(line.data)) for line in lines)
        return [message(entry, self._form, self._sender, self._most) for entry in entries]

    def abort(self) -> None:
        """As `Outlet.abort`."""
        if (found := self._socket) is not None:
            try:
                socket.socket.shutdown(found, socket.SHUT_RDWR)
            except OSError:
                return

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

    def send(self, lines: Sequence[Line]) -> None:
        """As `Outlet.send`."""
        data = memoryview(b"".join(map(counted, self._messages(lines))))
        try:
            connection = self._connected()
            while data:
                connection.sendall(data[:_CHUNK])
                data = data[_CHUNK:]
        except OSError as error:
            raise SinkDown(_code(error)) from None

    def confirm(self) -> None:
        """As `Outlet.confirm`: the connection ends, and the next `send` makes another."""
        found = self._socket
        if not isinstance(found, ssl.SSLSocket):
            raise SinkDown("closed")
        try:
            _end(found)
        except OSError as error:
            raise SinkDown(_code(error)) from None
        finally:
            self.close()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            plain = socket.create_connection(self._address, self._patience)
            try:
                self._socket = self._tls.wrap_socket(plain, server_hostname=self._address[0])
            except OSError:
                plain.close()
                raise
        return self._socket


def _end(connection: ssl.SSLSocket) -> None:
    """End TLS from our side and wait for the other. OSError unless that ended in order, too."""
    try:
        plain = connection.unwrap()
    except ssl.SSLEOFError:
        return  # closed without a word of TLS, but in order: a reset is a ConnectionResetError
    except OSError as error:
        if error.errno in (0, None) and not isinstance(error, ssl.SSLError | TimeoutError):
            return  # the same, as older versions of OpenSSL tell it
        raise
    try:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(_CHUNK):
            continue
    finally:
        plain.close()


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
