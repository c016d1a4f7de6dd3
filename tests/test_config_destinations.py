"""What a DIMSE destination says, and what becomes of it."""

from __future__ import annotations

import ssl
from typing import Any, cast

import pytest
from pydantic import ValidationError

from proxy.config_destinations import DimseDestination
from proxy.dimse.requestor import Destination
from proxy.dimse.scu import DimseSender
from proxy.site import make_sender


def destination(**more: Any) -> DimseDestination:
    said = {"type": "dimse", "host": "pacs", "port": 104, "called_ae": "PACS", "timeout_seconds": 7.0}
    return DimseDestination.model_validate(said | more)


def sender(said: DimseDestination, tls: ssl.SSLContext | None = None) -> DimseSender:
    made = make_sender(said, cast(Any, None), tls, cast(Any, None))
    assert isinstance(made, DimseSender)
    return made


def test_it_is_reached_as_it_says() -> None:
    tls = ssl.create_default_context()
    assert sender(destination(calling_ae="ME"), tls)._to == Destination("pacs", 104, "PACS", "ME", 7.0, tls)
    assert sender(destination(associations=9))._pool._most == 9


@pytest.mark.parametrize(
    ("said", "rewrites"), [({}, False), ({"transcode": "never"}, False), ({"transcode": "lossless"}, True)]
)
def test_nothing_is_sent_in_another_syntax_unless_that_is_said(said: dict[str, str], rewrites: bool) -> None:
    assert (sender(destination(**said))._rewriting is not None) is rewrites


def test_there_is_no_lossy_way() -> None:
    with pytest.raises(ValidationError):
        destination(transcode="lossy")
