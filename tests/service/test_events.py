"""What a record says: who, on whose behalf, and of an original only what nobody can read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.audit.chain import Position, seal
from proxy.audit.keys import AuditKey
from proxy.audit.watch import now
from proxy.errors import Reason
from proxy.service import events
from proxy.service.ports import Concealed, HeldInstance, Peer
from tests.service.fakes import ORIGINAL, PEER

ENTRY = HeldInstance("q-1", "research", Reason.TOO_DEEP, "", now(), 7, "dimse", "0" * 64)


@pytest.mark.parametrize(
    ("name", "caller", "behalf"),
    [
        ("", None, None),
        ("peer:ct-1", "peer:ct-1", None),
        ("peer:ws-1 token:ann", "peer:ws-1", "token:ann"),
        ("peer:ws-1 oidc:ann of x", "peer:ws-1", "oidc:ann of x"),
        ("oidc:ann of x", "oidc:ann of x", None),
    ],
)
def test_a_user_at_a_known_workstation_is_on_whose_behalf_it_acts(
    name: str, caller: str | None, behalf: str | None
) -> None:
    event = events.denied(Peer("dimse", name=name), "x")
    assert event.peer.get("caller") == caller
    assert event.behalf.get("caller") == behalf


def test_the_original_is_found_by_who_has_the_key_and_read_by_nobody() -> None:
    key = AuditKey(bytes(32))
    event = events.held("research", PEER, ENTRY, ORIGINAL)
    line, _ = seal(event, Position(), now(), "veil", key.conceal)
    assert key.conceal("research", ORIGINAL.sop_instance_uid).encode() in line
    assert f'"{ORIGINAL.sop_instance_uid}"'.encode() not in line
    assert f"{ORIGINAL.sop_instance_uid!r}" not in repr(event)
    assert "original" not in events.held("research", PEER, ENTRY, None).object
    blank = replace(ORIGINAL, study_instance_uid="")
    uid = Concealed("research", blank.sop_instance_uid)
    assert events.held("research", PEER, ENTRY, blank).object["original"] == {"sop_instance_uid": uid}
