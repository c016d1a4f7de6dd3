"""A collector over HTTP as an outlet: batches by POST, taken when the answer is 2xx and says nothing against it.

``Veil-Audit-Sequence`` names the records of a request, ``Idempotency-Key`` the request: a batch that is sent again is
the same batch, unless Veil was started in between, and no record has two numbers. Redirects are not followed.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from proxy.audit.follow import Line
from proxy.audit.formats.batches import body
from proxy.audit.forward import SinkDown, break_off, gently
from proxy.audit.selection import EVERYTHING, Selection

#: of an answer we read no more
_ANSWER = 1 << 20


class HttpPush:
    """One collector."""

    unconfirmed, seconds = 1, 0.0

    def __init__(
        self,
        url: str,
        form: str,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None = None,
        batch: int = 500,
        patience: float = 30.0,
        selection: Selection = EVERYTHING,
    ) -> None:
        """``form``: see `formats.batches`; ``tls``: of an https URL; ``patience``: seconds for each step.

        ``selection``: the records that the receiver is told of.
        """
        self.batch = batch
        self._url, self._form, self._headers = urlsplit(url), form, dict(headers)
        self._tls, self._patience = tls, patience
        self._connection: http.client.HTTPConnection | None = None
        self._selection, self._meant = selection, selection.test()
        self.rejected = 0

    def send(self, lines: Sequence[Line]) -> None:
        """As `Outlet.send`."""
        if self._selection != EVERYTHING:
            lines = [line for line in lines if self._meant(line.data)]
        if not lines:
            return
        made = body(self._form, gently(lines))
        node = str(json.loads(lines[0].data).get("node", ""))
        numbers = f"{lines[0].seq}-{lines[-1].seq}"
        headers = self._headers | {
            "Content-Type": made.media_type,
            "Veil-Audit-Sequence": numbers,
            "Idempotency-Key": f'"{node}:{numbers}"',
        }
        status, answer = self._post(made.data, headers)
        if not 200 <= status < 300:
            raise SinkDown(f"http-{status}")
        self._judge(answer, len(lines))

    def confirm(self) -> None:
        """The answer was it."""

    def abort(self) -> None:
        """As `Outlet.abort`."""
        break_off(getattr(self._connection, "sock", None))

    def close(self) -> None:
        """As `Outlet.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, data: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            if self._connection is None:
                self._connection = self._made()
            self._connection.request("POST", path, data, dict(headers))
            answer = self._connection.getresponse()
            found = answer.read(_ANSWER)
            if answer.will_close or not answer.isclosed():
                self.close()
        except TimeoutError:
            raise SinkDown("timeout") from None
        except ssl.SSLError:
            raise SinkDown("tls") from None
        except (OSError, http.client.HTTPException, ValueError):  # ValueError: a header of the configuration
            raise SinkDown("connection") from None
        return answer.status, found

    def _made(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._patience, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._patience)

    def _judge(self, answer: bytes, count: int) -> None:
        """What stands in the body of a 2xx: a FHIR batch says of each entry whether it was taken (R4 3.1.0.11.1)."""
        if self._form == "fhir":
            entries = _members(_json(answer)).get("entry")
            states = [_members(_members(e).get("response")).get("status") for e in _list(entries)]
            if len(states) != count or not all(str(state).startswith("2") for state in states):
                raise SinkDown("entry-refused")
        if self._form == "otlp":  # not to be sent again (OTLP: partial success); counted, for `veil status`
            number = str(_members(_members(_json(answer)).get("partialSuccess")).get("rejectedLogRecords", 0))
            self.rejected += int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer or b"{}")
    except (ValueError, RecursionError):
        return None


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
