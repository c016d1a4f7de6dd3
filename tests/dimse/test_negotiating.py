"""What is accepted of a proposal: by what services offer, in the sender's order, and nothing that was not asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from proxy.dimse.negotiating import negotiate
from proxy.dimse.services import Service, Verification
from proxy.wire.negotiation import Acceptance, ProposedContext, Request

CT, FIND, ECHO = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1", Verification.SOP_CLASS
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


class Store(Service):
    def syntaxes(self, abstract: str) -> Collection[str] | None:
        return {IMPLICIT, EXPLICIT} if abstract == CT else None

    def roles(self, abstract: str, proposed: tuple[bool, bool]) -> tuple[bool, bool]:
        return True, True

    def extended(self, abstract: str, proposed: bytes) -> bytes | None:
        return proposed[:1] or None


SERVICES = (Verification(), Store())


def answer(*contexts: ProposedContext, **more: object) -> Acceptance:
    request = replace(Request("A", "B", contexts), **more)  # type: ignore[arg-type]  # by name
    return negotiate(request, SERVICES, 131072, None, ("1.2", "V"))


@pytest.mark.parametrize(
    ("abstract", "syntaxes", "result"),
    [
        (CT, (EXPLICIT, IMPLICIT), (0, EXPLICIT)),
        (CT, (IMPLICIT, EXPLICIT), (0, IMPLICIT)),
        (CT, (JPEG, IMPLICIT), (0, IMPLICIT)),
        (CT, (JPEG,), (4, JPEG)),
        (FIND, (IMPLICIT,), (3, IMPLICIT)),
        (ECHO, (JPEG, IMPLICIT), (0, IMPLICIT)),
    ],
)
def test_one_context(abstract: str, syntaxes: tuple[str, ...], result: tuple[int, str]) -> None:
    assert answer(ProposedContext(7, abstract, syntaxes)).results == {7: result}


def test_every_context_is_answered_by_its_id() -> None:
    contexts = [ProposedContext(n, CT if n % 4 == 1 else FIND, (IMPLICIT,)) for n in range(1, 256, 2)]
    results = answer(*contexts).results
    assert list(results) == list(range(1, 256, 2))
    assert [results[n][0] for n in (1, 3, 5)] == [0, 3, 0]


@pytest.mark.parametrize("proposed", [(True, False), (False, True), (True, True), (False, False)])
def test_no_role_is_accepted_that_was_not_proposed(proposed: tuple[bool, bool]) -> None:
    both = [ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(3, ECHO, (IMPLICIT,))]
    roles = answer(*both, roles={CT: proposed, ECHO: proposed, FIND: proposed}).roles
    assert roles == {CT: proposed, ECHO: (proposed[0], False)}  # and none for what is not there


def test_nothing_is_said_about_what_was_not_asked() -> None:
    plain = answer(ProposedContext(1, CT, (IMPLICIT,)))
    assert (plain.roles, plain.extended, plain.window, plain.identity_response) == ({}, {}, None, None)
    assert (plain.largest_pdu, plain.implementation, plain.version) == (131072, "1.2", "V")


def test_extended_negotiation_and_the_window() -> None:
    found = answer(ProposedContext(1, CT, (IMPLICIT,)), extended={CT: b"\x01\x02", FIND: b"\x01"}, window=(0, 0))
    assert found.extended == {CT: b"\x01"}
    assert found.window == (1, 1)
    assert answer(ProposedContext(1, CT, (IMPLICIT,)), extended={CT: b""}).extended == {}
