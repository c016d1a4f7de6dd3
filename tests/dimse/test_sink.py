"""What an arena that somebody waits for may be given."""

from __future__ import annotations

from proxy.dimse.sink import Sink
from proxy.workers.arena import Arena


def test_only_what_was_asked_for_only_once_and_only_while_it_is_awaited() -> None:
    one, other = object(), object()
    with Arena(10) as arena:
        sink = Sink("pacs", "1.2.3", arena)
        assert not sink.write(other, "1.2.4", b"wrong")
        assert not sink.begun
        assert sink.write(one, "1.2.3", b"right")
        assert not sink.write(other, "1.2.3", b"twice")
        assert not sink.finish(other)
        sink.detach()
        assert not sink.write(one, "1.2.3", b"late")
        assert not sink.finish(one)
        assert bytes(arena.view()) == b"right"


def test_too_much_is_an_error_and_ends_it() -> None:
    source = object()
    with Arena(10) as arena:
        sink = Sink("pacs", "1.2.3", arena)
        assert not sink.write(source, "1.2.3", bytes(11))
        assert sink.error is not None
        assert sink.error.code == "too-large"
        assert not sink.write(source, "1.2.3", b"x")
        assert not sink.finish(source)
