"""An arena is bounded, and frozen it cannot change any more."""

from __future__ import annotations

import mmap
import os

import pytest

from proxy.workers.arena import Arena, ArenaFull


def test_bytes_come_back_as_written() -> None:
    with Arena(10) as arena:
        assert arena.write(b"abc") == 3
        arena.write(bytearray(b"de"))
        assert bytes(arena.view()) == b"abcde"
        assert arena.view().readonly


def test_the_limit_is_hard() -> None:
    with Arena(4) as arena:
        arena.write(b"abcd")
        with pytest.raises(ArenaFull):
            arena.write(b"e")
        assert arena.size == 4


def test_adopt_takes_what_was_written_through_the_descriptor() -> None:
    with Arena(10) as arena:
        os.write(arena.fd, b"xyz")
        arena.adopt()
        assert bytes(arena.view()) == b"xyz"


def test_frozen_bytes_cannot_be_written_grown_or_shrunk_even_while_viewed() -> None:
    with Arena(10) as arena:
        arena.write(b"abc")
        view = arena.view()
        arena.freeze()
        arena.freeze()
        for act in (
            lambda: os.pwrite(arena.fd, b"x", 0),
            lambda: os.ftruncate(arena.fd, 0),
            lambda: os.ftruncate(arena.fd, 100),
            lambda: mmap.mmap(arena.fd, 3),
        ):
            with pytest.raises(PermissionError):
                act()
        assert bytes(view) == b"abc"


def test_a_view_outlives_close() -> None:
    arena = Arena(10)
    arena.write(b"abc")
    view = arena.view()
    arena.close()
    assert bytes(view) == b"abc"
    assert arena.fd == -1
    arena.close()


def test_an_empty_arena_has_an_empty_view() -> None:
    with Arena(1) as arena:
        assert bytes(arena.view()) == b""
