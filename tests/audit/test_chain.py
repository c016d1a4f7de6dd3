"""One record, one line; any change of it shows."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from proxy.audit.chain import GENESIS, BadRecord, Position, seal, unseal
from proxy.errors import Reason
from proxy.service.ports import AuditEvent, Concealed

MOMENT = datetime(2026, 11, 20, 12, 0, 0, 42, tzinfo=UTC)
EVENT = AuditEvent(
    "held", "failure", "research", {"calling_ae": "CT\x9b1\n"}, {"kind": "quarantine", "size": 7}, Reason.TOO_DEEP
)


def test_the_hash_is_what_the_document_says() -> None:
    """Recomputed with hashlib and json alone."""
    line, position = seal(EVENT, Position(6, "ab" * 32), MOMENT, "veil")
    record = json.loads(line)
    stated = record.pop("hash")
    body = json.dumps(record, sort_keys=True, separators=(",", ":"))
    assert stated == hashlib.sha256(bytes.fromhex("ab" * 32) + body.encode()).hexdigest() == position.hash
    assert position.seq == 7
    assert set(record) == {
        "v", "seq", "ts", "node", "prev", "type", "outcome", "project", "peer", "object", "reason", "policy_digest",
        "key_epoch", "counts", "behalf",
    }  # fmt: skip
    assert record["ts"] == "2026-11-20T12:00:00.000042Z"
    assert record["reason"] == "nesting-too-deep"


def test_an_identifier_is_concealed_or_not_written_at_all() -> None:
    event = AuditEvent("held", project="p", object={"original": {"sop_instance_uid": Concealed("p", "1.2.3")}})
    line, _ = seal(event, Position(), MOMENT, "veil")
    assert b'"object":{"original":{"sop_instance_uid":"hidden"}}' in line
    line, _ = seal(event, Position(), MOMENT, "veil", lambda project, value: f"{project}-{len(value)}")
    assert b'"object":{"original":{"sop_instance_uid":"p-5"}}' in line
    assert "1.2.3" not in repr(event)


def test_times_are_utc() -> None:
    line, _ = seal(EVENT, Position(), MOMENT.astimezone(timezone(timedelta(hours=5))), "veil")
    assert b'"ts":"2026-11-20T12:00:00.000042Z"' in line


def test_a_peer_can_neither_forge_a_line_nor_steer_a_terminal() -> None:
    line, _ = seal(AuditEvent("x", peer={"calling_ae": 'A"}\n{"\x1b[2J\x9b\u202e\udc80'}), Position(), MOMENT, "veil")
    assert line.isascii()
    assert all(byte >= 0x20 for byte in line)
    record, _ = unseal(line)
    assert record["peer"]["calling_ae"] == 'A"}\n{"\x1b[2J\x9b\u202e\udc80'


def test_every_changed_byte_shows() -> None:
    line, _ = seal(EVENT, Position(), MOMENT, "veil")
    assert unseal(line)[1].seq == 1
    for index in range(len(line)):
        changed = bytearray(line)
        changed[index] ^= 0x01
        with pytest.raises(BadRecord):
            unseal(bytes(changed))


@pytest.mark.parametrize("line", [b"", b"{}", b"[" * 100_000, b"\xff" * 200, b'{"hash":"' + b"0" * 64 + b'"}'])
def test_what_is_no_record_is_a_bad_record(line: bytes) -> None:
    with pytest.raises(BadRecord):
        unseal(line)


@pytest.mark.parametrize("seq", ['"1"', "null", "1.5", "[1]"])
def test_a_record_with_a_right_hash_but_wrong_types_is_bad(seq: str) -> None:
    body = f'{{"node":"veil","prev":"{GENESIS}","seq":{seq}}}'.encode()
    stated = hashlib.sha256(bytes(32) + body).hexdigest()
    with pytest.raises(BadRecord):
        unseal(body[:-1] + f',"hash":"{stated}"}}'.encode())


@pytest.mark.parametrize("value", [float("nan"), b"bytes", object()])
def test_a_value_that_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        seal(AuditEvent("x", object={"value": value}), Position(), MOMENT, "veil")


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        seal(AuditEvent("x", reason="x" * (1 << 20)), Position(), MOMENT, "veil")
