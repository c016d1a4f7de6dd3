"""What is negotiated: compared with the standard's list of SOP classes and with pydicom's of transfer syntaxes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import ALL_TRANSFER_SYNTAXES, build_context
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from proxy.dimse import contexts

RULES = Path(__file__).parents[2] / "rules/standard/sop-classes-burned-in-risk.csv"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, JPEG, J2K = (f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".4.50", ".4.90"))
JPIP = {f"1.2.840.10008.1.2.4.{n}" for n in (94, 95, 204, 205)}
SMPTE = {f"1.2.840.10008.1.2.7.{n}" for n in (1, 2, 3)}


def negotiate(*proposed: PresentationContext) -> list[tuple[int | None, str]]:
    for number, context in enumerate(proposed):
        context.context_id = 2 * number + 1
    results, _ = negotiate_as_acceptor(list(proposed), contexts.negotiable(proposed))
    return [(cx.result, str(cx.transfer_syntax[0])) for cx in results]


def test_every_storage_sop_class_of_the_standard() -> None:
    with RULES.open(encoding="utf-8", newline="") as file:
        listed = {line["sop_class_uid"] for line in csv.DictReader(file)} - {"(private or unknown SOP class UID)"}
    assert len(listed) == 211
    assert listed == contexts.STORAGE_SOP_CLASSES


def test_every_class_is_served_by_the_storage_service() -> None:
    contexts.register()
    contexts.register()
    for uid in contexts.STORAGE_SOP_CLASSES:
        assert issubclass(uid_to_service_class(uid), StorageServiceClass)


def test_every_transfer_syntax_but_those_whose_pixels_are_elsewhere() -> None:
    assert len(set(contexts.TRANSFER_SYNTAXES)) == len(contexts.TRANSFER_SYNTAXES)
    assert set(ALL_TRANSFER_SYNTAXES) - set(contexts.TRANSFER_SYNTAXES) == JPIP | SMPTE
    for uid in contexts.TRANSFER_SYNTAXES:
        assert UID_dictionary[uid][1] == "Transfer Syntax"
    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    left_out = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}  # MIME, XML, Papyrus
    assert known - set(contexts.TRANSFER_SYNTAXES) == JPIP | SMPTE | left_out


def test_the_senders_order_decides() -> None:
    assert negotiate(build_context(CT, [J2K, EXPLICIT, IMPLICIT])) == [(0, J2K)]
    assert negotiate(build_context(CT, [IMPLICIT, JPEG])) == [(0, IMPLICIT)]


def test_each_context_of_one_class_gets_its_own_syntax() -> None:
    proposed = [build_context(CT, [JPEG]), build_context(CT, [EXPLICIT]), build_context(CT, [J2K, IMPLICIT])]
    assert [syntax for _, syntax in negotiate(*proposed)] == [JPEG, EXPLICIT, J2K]


@pytest.mark.parametrize("syntax", sorted(JPIP | SMPTE))
def test_syntaxes_refused(syntax: str) -> None:
    assert negotiate(build_context(CT, [syntax])) == [(4, syntax)]
    assert negotiate(build_context(CT, [syntax, EXPLICIT])) == [(0, EXPLICIT)]


@pytest.mark.parametrize("abstract", ["1.3.46.670589.5.0.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.20.1"])
def test_classes_refused(abstract: str) -> None:
    """Private, Study Root C-FIND, Storage Commitment."""
    assert [result for result, _ in negotiate(build_context(abstract, [EXPLICIT]))] == [3]
    assert [r for r, _ in negotiate(build_context(CT, [EXPLICIT]), build_context(abstract, [EXPLICIT]))] == [0, 3]


def test_verification_in_uncompressed_syntaxes_only() -> None:
    assert negotiate(build_context(contexts.VERIFICATION, [JPEG, IMPLICIT])) == [(0, IMPLICIT)]
