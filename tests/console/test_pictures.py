from __future__ import annotations

from proxy.console.pictures import MOST, SECONDS, Pictures


def test_a_picture_is_fetched_once_by_whom_it_is_for_and_in_time() -> None:
    now = [0.0]
    pictures = Pictures(lambda: now[0])
    for number in range(MOST + 1):
        pictures.keep(("anna", number), b"%d" % number)
    assert pictures.take(("anna", 0)) == b""
    assert pictures.take(("otto", 1)) == b""
    assert pictures.take(("anna", 1)) == b"1"
    assert pictures.take(("anna", 1)) == b""
    now[0] = SECONDS
    assert pictures.take(("anna", 2)) == b""
