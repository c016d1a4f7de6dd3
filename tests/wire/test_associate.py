"""A-ASSOCIATE-RQ and -AC: there and back, and with pynetdicom's codec on the other side; bent, they are an error.

`associate_read` and `associate_write` are the two halves.
"""

from __future__ import annotations

import struct
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from proxy.wire import negotiation
from proxy.wire.associate_read import read_acceptance, read_request
from proxy.wire.associate_write import write_acceptance, write_request
from proxy.wire.dimse_pdu import ASSOCIATE_BYTES, PduError
from proxy.wire.negotiation import Acceptance, ProposedContext, Request, UserIdentity, accepted

CT, FIND = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
REQUEST = Request(
    "MY ARCHIVE",
    "MODALITY",
    (ProposedContext(1, CT, (EXPLICIT, IMPLICIT)), ProposedContext(255, FIND, (IMPLICIT,))),
    131072,
    {CT: (True, True), FIND: (False, True)},
    (3, 0),
    {FIND: b"\x01\x00\x01"},
    UserIdentity(negotiation.PASSCODE, b"anna", b"geheim", True),
    "1.2.3",
    "VEIL",
)
ACCEPTANCE = Acceptance(
    {1: (0, EXPLICIT), 255: (3, IMPLICIT)},
    16384,
    {CT: (True, False)},
    (1, 1),
    {FIND: b"\x01"},
    b"token",
    "1.2.3",
    "VEIL",
)


def body(pdu: bytes) -> memoryview:
    assert struct.unpack(">I", pdu[2:6])[0] == len(pdu) - 6
    return memoryview(pdu)[6:]


UIDS = st.text("0123456789.", min_size=1, max_size=64)
ROLES = st.dictionaries(UIDS, st.tuples(st.booleans(), st.booleans()), max_size=4)
EXTENDED = st.dictionaries(UIDS, st.binary(max_size=20), max_size=4)
TITLES = st.text("ABCxyz019-_ ", max_size=16).map(str.strip)
WINDOWS = st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535))
IDENTITIES = st.none() | st.builds(
    UserIdentity, st.integers(1, 5), st.binary(max_size=50), st.binary(max_size=50), st.booleans()
)
CONTEXTS = st.lists(
    st.builds(
        ProposedContext, st.sampled_from(range(1, 256, 2)), UIDS, st.lists(UIDS, min_size=1, max_size=4).map(tuple)
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda context: context.id,
).map(tuple)
LENGTHS = st.integers(0, 0xFFFFFFFF)


@given(st.builds(Request, TITLES, TITLES, CONTEXTS, LENGTHS, ROLES, WINDOWS, EXTENDED, IDENTITIES, UIDS, TITLES))
def test_a_request_there_and_back(request: Request) -> None:
    assert read_request(body(write_request(request))) == request


RESULTS = st.dictionaries(st.sampled_from(range(1, 256, 2)), st.tuples(st.integers(0, 4), UIDS), max_size=6)


@given(
    st.builds(Acceptance, RESULTS, LENGTHS, ROLES, WINDOWS, EXTENDED, st.none() | st.binary(max_size=50), UIDS, TITLES)
)
def test_an_acceptance_there_and_back(acceptance: Acceptance) -> None:
    assert read_acceptance(body(write_acceptance(REQUEST, acceptance))) == acceptance


def user_items(pdu: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in pdu.user_information.user_data:
        found.setdefault(type(item).__name__, []).append(item)
    return found


def test_pynetdicom_reads_our_request_as_it_was_meant() -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(write_request(REQUEST))
    assert (theirs.called_ae_title.strip(), theirs.calling_ae_title.strip()) == ("MY ARCHIVE", "MODALITY")
    assert theirs.application_context_name == "1.2.840.10008.3.1.1.1"
    assert [
        (c.presentation_context_id, c.abstract_syntax, tuple(c.transfer_syntax)) for c in theirs.presentation_context
    ] == [(c.id, c.abstract, c.syntaxes) for c in REQUEST.contexts]
    items = user_items(theirs)
    assert items["MaximumLengthSubItem"][0].maximum_length_received == 131072
    assert items["ImplementationClassUIDSubItem"][0].implementation_class_uid == "1.2.3"
    assert items["ImplementationVersionNameSubItem"][0].implementation_version_name == "VEIL"
    window = items["AsynchronousOperationsWindowSubItem"][0]
    assert (window.maximum_number_operations_invoked, window.maximum_number_operations_performed) == (3, 0)
    roles = {item.sop_class_uid: (item.scu_role, item.scp_role) for item in items["SCP_SCU_RoleSelectionSubItem"]}
    assert roles == {CT: (1, 1), FIND: (0, 1)}
    extended = items["SOPClassExtendedNegotiationSubItem"][0]
    assert (extended.sop_class_uid, extended.service_class_application_information) == (FIND, b"\x01\x00\x01")
    identity = items["UserIdentitySubItemRQ"][0]
    assert (identity.user_identity_type, identity.positive_response_requested) == (2, 1)
    assert (identity.primary_field, identity.secondary_field) == (b"anna", b"geheim")


def test_pynetdicom_reads_our_acceptance_as_it_was_meant() -> None:
    theirs = A_ASSOCIATE_AC()
    theirs.decode(write_acceptance(REQUEST, ACCEPTANCE))
    assert [
        (c.presentation_context_id, c.result, c.transfer_syntax_sub_item[0].transfer_syntax_name)
        for c in theirs.presentation_context
    ] == [(1, 0, EXPLICIT), (255, 3, IMPLICIT)]
    assert str(theirs.reserved_aet).strip() == "MY ARCHIVE"
    items = user_items(theirs)
    role = items["SCP_SCU_RoleSelectionSubItem"][0]
    assert (role.sop_class_uid, role.scu_role, role.scp_role) == (CT, 1, 0)
    assert items["UserIdentitySubItemAC"][0].server_response == b"token"
    assert items["SOPClassExtendedNegotiationSubItem"][0].service_class_application_information == b"\x01"


@pytest.mark.parametrize("kind", [A_ASSOCIATE_RQ, A_ASSOCIATE_AC])
def test_we_read_what_pynetdicom_writes(kind: Any) -> None:
    """Its own bytes, from what it has read of ours."""
    theirs = kind()
    if kind is A_ASSOCIATE_RQ:
        theirs.decode(write_request(REQUEST))
        assert read_request(body(theirs.encode())) == REQUEST
    else:
        theirs.decode(write_acceptance(REQUEST, ACCEPTANCE))
        assert read_acceptance(body(theirs.encode())) == ACCEPTANCE


@pytest.mark.parametrize("pdu", [write_request(REQUEST), write_acceptance(REQUEST, ACCEPTANCE)], ids=["RQ", "AC"])
def test_cut_off_anywhere_it_is_less_or_an_error(pdu: bytes) -> None:
    read: Any = read_request if pdu[0] == 1 else read_acceptance
    whole, refused = body(pdu), 0
    for size in range(len(whole)):
        try:
            found = read(whole[:size])
        except PduError:
            refused += 1
            continue
        assert not found.implementation  # it stands at the end: what is left is less
    assert refused > 0.95 * len(whole)


@given(st.binary(max_size=100), st.integers(0, 400), st.booleans())
def test_bent_anywhere_it_is_another_or_an_error(patch: bytes, at: int, acceptance: bool) -> None:
    pdu = bytearray(write_acceptance(REQUEST, ACCEPTANCE) if acceptance else write_request(REQUEST))
    pdu[6 + at : 6 + at + len(patch)] = patch
    read: Any = read_acceptance if acceptance else read_request
    try:
        read(memoryview(pdu)[6:])
    except PduError as error:
        assert not any(secret in str(error) for secret in ("anna", "geheim", "MODALITY"))  # noqa: PT017  # no `raises`: it may be read


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


FIXED = struct.pack(">HH16s16s32x", 1, 0, b"VEIL".ljust(16), b"X".ljust(16))
NAME = item(0x10, b"1.2.840.10008.3.1.1.1")
SYNTAX = item(0x40, IMPLICIT.encode())
CONTEXT = item(0x20, b"\x01\0\0\0" + item(0x30, CT.encode()) + SYNTAX)
USER = item(0x50, item(0x51, bytes(4)))
PLAIN = FIXED + NAME + CONTEXT + USER

WRONG = {
    "no application context": FIXED + CONTEXT + USER,
    "another application context": FIXED + item(0x10, b"1.2.3") + CONTEXT + USER,
    "no presentation context": FIXED + NAME + USER,
    "one ID twice": FIXED + NAME + CONTEXT * 2 + USER,
    "an even ID": PLAIN.replace(CONTEXT[:5], CONTEXT[:4] + b"\x02"),
    "no SOP class": FIXED + NAME + item(0x20, b"\x01\0\0\0" + SYNTAX),
    "no transfer syntax": FIXED + NAME + item(0x20, b"\x01\0\0\0" + item(0x30, CT.encode())),
    "a long UID": FIXED + NAME + item(0x20, b"\x01\0\0\0" + item(0x30, b"1" * 65) + SYNTAX),
    "a UID that is not ASCII": FIXED + NAME + item(0x20, b"\x01\0\0\0" + item(0x30, "ü".encode()) + SYNTAX),
    "a title that is not ASCII": PLAIN.replace(b"VEIL", "VÜL".encode()),
    "too many syntaxes": FIXED + NAME + item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2") + SYNTAX * 257),
    "too many items": PLAIN + item(0x99, b"") * 200,
    "a short length": FIXED + NAME + CONTEXT + item(0x50, item(0x51, bytes(3))),
    "a role that is cut off": FIXED + NAME + CONTEXT + item(0x50, item(0x54, b"\x00\x031.2")),
    "an identity that is cut off": FIXED + NAME + CONTEXT + item(0x50, item(0x58, b"\x02\x01\x00\x09anna")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_an_error(name: str) -> None:
    assert read_request(memoryview(PLAIN)).contexts[0].id == 1
    with pytest.raises(PduError):
        read_request(memoryview(WRONG[name]))


def test_items_that_no_standard_knows_are_passed_over() -> None:
    found = read_request(memoryview(FIXED + item(0x77, b"x") + NAME + CONTEXT + item(0x50, item(0x7F, b"y")) + b""))
    assert found.contexts == (ProposedContext(1, CT, (IMPLICIT,)),)


def test_uids_and_titles_are_padded_in_more_ways_than_the_standard_has() -> None:
    padded = PLAIN.replace(SYNTAX, item(0x40, IMPLICIT.encode() + b"\0")).replace(b"VEIL    ", b"VEIL\0\0\0\0")
    longer = padded.replace(CONTEXT[:4], struct.pack(">BxH", 0x20, len(CONTEXT) - 4 + 1))
    found = read_request(memoryview(longer))
    assert found.called == "VEIL"
    assert found.contexts[0].syntaxes == (IMPLICIT,)


def test_every_syntax_in_128_contexts_is_taken_and_the_longest_nonsense_told_off_soon() -> None:
    many = tuple(ProposedContext(n, CT, tuple(f"1.2.840.10008.1.2.4.{s}" for s in range(70))) for n in range(1, 256, 2))
    pdu = write_request(replace(REQUEST, contexts=many))
    assert len(pdu) < ASSOCIATE_BYTES
    assert len(read_request(body(pdu)).contexts) == 128
    for junk in (item(0x20, b""), item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2") + item(0x40, b"") * 256), b"\x55" * 4):
        flood = memoryview(FIXED + NAME + junk * (ASSOCIATE_BYTES // len(junk)))
        began = time.process_time()
        with pytest.raises(PduError):
            read_request(flood)
        assert time.process_time() - began < 0.05


def test_contexts_that_both_have_agreed_on() -> None:
    found = accepted(REQUEST, ACCEPTANCE)
    assert list(found) == [1]
    assert (found[1].abstract, found[1].syntax, found[1].scu, found[1].scp) == (CT, EXPLICIT, True, False)
    both = accepted(REQUEST, replace(ACCEPTANCE, roles={CT: (True, True)}))
    assert (both[1].scu, both[1].scp) == (True, True)
    never_asked = accepted(replace(REQUEST, roles={}), replace(ACCEPTANCE, roles={CT: (True, True)}))
    assert (never_asked[1].scu, never_asked[1].scp) == (True, False)
    assert accepted(REQUEST, replace(ACCEPTANCE, results={1: (0, "1.2.3"), 7: (0, IMPLICIT)})) == {}
