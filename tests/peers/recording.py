"""A reverse proxy on loopback that remembers every exchange: what a browser really heard, its workers included."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.peers.loopback import Quiet, serving

#: hop by hop (RFC 9110 7.6.1), and what is counted anew
_NOT_PASSED = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; ``body`` is that of the answer, without its content coding."""

    method: str
    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def told(self) -> bytes:
        """All that the client can read of it."""
        head = "\n".join([self.path, *(f"{name}: {value}" for name, value in self.headers)])
        return head.encode("latin-1") + b"\n" + self.body


@dataclass
class Recording:
    """``port`` stands for the server behind it."""

    port: int
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(port: int) -> Iterator[Recording]:
    """Pass everything on to ``port`` of loopback, as it is, with the same Host."""

    made = Recording(0)

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def finish(self) -> None:
            self.behind.close()
            super().finish()

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED}
            self.behind.request(self.command, self.path, body or None, sent)
            answer = self.behind.getresponse()
            content, headers = answer.read(), tuple(answer.getheaders())
            plain = gzip.decompress(content) if answer.getheader("Content-Encoding") == "gzip" else content
            made.exchanges.append(Exchange(self.command, self.path, answer.status, headers, plain))
            self.send_response_only(answer.status)
            for name, value in headers:
                if name.lower() not in _NOT_PASSED:
                    self.send_header(name, value)
            if answer.getheader("Transfer-Encoding"):  # framed as it was: a page can tell
                self.send_header("Transfer-Encoding", "chunked")
                content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
            elif answer.status not in (204, 304):
                self.send_header("Content-Length", answer.getheader("Content-Length") or "0")
            self.end_headers()
            self.wfile.write(content if self.command != "HEAD" else b"")

        do_GET = do_POST = do_HEAD = do_OPTIONS = handle_one

    with serving(Handler) as made.port:
        yield made
