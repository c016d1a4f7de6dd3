"""What comes in is taken in turns: not for longer than one, and not while the user rests; nothing is lost."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from proxy.dimse.inlet import TURN, Inlet, Queue
from proxy.wire.messages import MessageError
from proxy.wire.upper_layer_table import Event

LARGEST = 16384


class Listener:
    """Reader and transport of one inlet."""

    def __init__(self, seconds: float = 0.0, queue: Queue | None = None) -> None:
        self.inlet = Inlet(self, LARGEST, lambda: None, queue or Queue())
        self.heard: list[int] = []
        self.seconds, self.turns = seconds, 0
        self.reading, self.wrong = True, 0
        self.then: Callable[[int], None] = lambda n: None
        self.inlet.connected(self)  # type: ignore[arg-type]  # a stand-in
        self.now = 0.0
        self.inlet._loop = self  # type: ignore[assignment]  # time passes as these tests say

    def time(self) -> float:
        return self.now

    def pdu(self, event: Event, body: memoryview) -> None:
        if event is Event.P_DATA_TF:
            self.inlet.unpack(body)

    def fragment(self, context: int, control: int, data: memoryview) -> None:
        self.now += self.seconds
        self.heard.append(struct.unpack(">I", data)[0])
        self.then(self.heard[-1])

    def invalid(self) -> None:
        self.wrong += 1

    def turn_over(self) -> None:
        self.turns += 1

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def bring(self, data: bytes) -> None:
        assert self.reading
        room = self.inlet.intake.room()
        room[: len(data)] = data
        self.inlet.intake.filled(len(data))
        self.inlet.take()


def pdus(*counts: int) -> bytes:
    """P-DATA-TF of so many fragments each, whose data are their numbers."""
    found, n = b"", 0
    for count in counts:
        body = b"".join(struct.pack(">IBBI", 6, 1, 0, n + i) for i in range(count))
        found += struct.pack(">BxI", 4, len(body)) + body
        n += count
    return found


async def test_all_of_what_is_quick_is_taken_at_once() -> None:
    listener = Listener()
    listener.bring(pdus(3, 2))
    assert listener.heard == [0, 1, 2, 3, 4]
    assert (listener.reading, listener.turns) == (True, 1)


async def test_nobody_is_listened_to_for_longer_than_a_turn_and_the_socket_waits() -> None:
    listener = Listener(seconds=TURN / 2)
    listener.bring(pdus(20, 20))
    assert len(listener.heard) == 3
    assert not listener.reading
    passed = 0
    while not listener.reading:
        before = len(listener.heard)
        await asyncio.sleep(0)
        assert len(listener.heard) - before <= 3
        passed += 1
    assert listener.heard == list(range(40))
    assert passed > 10


async def test_while_the_user_rests_nothing_is_taken_and_afterwards_the_rest_in_its_order() -> None:
    listener = Listener()
    listener.then = lambda n: listener.inlet.rest(True) if n == 4 else None
    listener.bring(pdus(3, 3, 3))
    assert listener.heard == [0, 1, 2, 3, 4]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(listener.heard) == 5
    assert not listener.reading
    listener.inlet.rest(False)
    assert len(listener.heard) == 5  # not on the stack of who says so
    await asyncio.sleep(0)
    assert listener.heard == list(range(9))
    assert listener.reading


async def test_what_makes_no_sense_is_told_once_and_nothing_after_it_is_taken() -> None:
    listener = Listener()

    def wrong(n: int) -> None:
        if n == 1:
            raise MessageError("no")

    listener.then = wrong
    listener.bring(pdus(3, 3))
    listener.bring(pdus(3))
    assert listener.heard == [0, 1]
    assert listener.wrong == 1
    assert listener.reading  # to see the end


async def test_closed_in_the_middle_of_a_turn_it_is_silent() -> None:
    listener = Listener(seconds=TURN)
    listener.bring(pdus(20))
    listener.inlet.close()
    heard = list(listener.heard)
    for _ in range(5):
        await asyncio.sleep(0)
    assert listener.heard == heard


async def test_of_many_who_have_more_to_say_one_goes_on_in_each_round_of_the_loop() -> None:
    queue = Queue()
    listeners = [Listener(TURN, queue) for _ in range(20)]
    for listener in listeners:
        listener.bring(pdus(10))
    rounds = 0
    while any(len(listener.heard) < 10 for listener in listeners):
        before = [len(listener.heard) for listener in listeners]
        await asyncio.sleep(0)
        went_on = [n for n, listener in enumerate(listeners) if len(listener.heard) != before[n]]
        assert went_on == [rounds % 20]
        rounds += 1
    for _ in range(25):
        await asyncio.sleep(0)
    assert all(listener.reading for listener in listeners)
