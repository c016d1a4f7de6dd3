"""What is negotiated: compared with the standard's list of SOP classes and with pydicom's of transfer syntaxes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import ALL_TRANSFER_SYNTAXES, StoragePresentationContexts

from proxy.config_listening import Dimse
from proxy.dimse import contexts
from proxy.dimse.negotiating import negotiate
from proxy.dimse.receiving import Budget
from proxy.dimse.services import Verification
from proxy.dimse.storage import Storage
from proxy.wire.negotiation import ProposedContext, Request

RULES = Path(__file__).parents[2] / "rules/standard/sop-classes-burned-in-risk.csv"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, JPEG, J2K = (f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".4.50", ".4.90"))
JPIP = {f"1.2.840.10008.1.2.4.{n}" for n in (94, 95, 204, 205)}
SMPTE = {f"1.2.840.10008.1.2.7.{n}" for n in (1, 2, 3)}


def answers(*proposed: tuple[str, list[str]], private: tuple[str, ...] = ()) -> list[tuple[int, str]]:
    """The result and the transfer syntax of each context."""
    asked = [ProposedContext(2 * n + 1, abstract, tuple(s)) for n, (abstract, s) in enumerate(proposed)]
    services = (Verification(), Storage(None, None, Budget(1), 1, private))  # type: ignore[arg-type]  # nothing is sent
    answer = negotiate(Request("VEIL", "CT1", tuple(asked)), services, 0, None, ("1.2.3", "TEST"))
    return [answer.results[context.id] for context in asked]


def test_every_storage_sop_class_of_the_standard() -> None:
    with RULES.open(encoding="utf-8", newline="") as file:
        listed = {line["sop_class_uid"] for line in csv.DictReader(file)} - {"(private or unknown SOP class UID)"}
    assert len(listed) == 211
    assert listed == contexts.STORAGE_SOP_CLASSES


def test_what_is_proposed_where_nothing_says_what_comes() -> None:
    assert tuple(str(each.abstract_syntax) for each in StoragePresentationContexts) == contexts.COMMON_SOP_CLASSES


def test_every_transfer_syntax_but_those_whose_pixels_are_elsewhere() -> None:
    assert len(set(contexts.TRANSFER_SYNTAXES)) == len(contexts.TRANSFER_SYNTAXES)
    assert set(ALL_TRANSFER_SYNTAXES) - set(contexts.TRANSFER_SYNTAXES) == JPIP | SMPTE
    for uid in contexts.TRANSFER_SYNTAXES:
        assert UID_dictionary[uid][1] == "Transfer Syntax"
    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    left_out = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}  # MIME, XML, Papyrus
    assert known - set(contexts.TRANSFER_SYNTAXES) == JPIP | SMPTE | left_out


def test_the_senders_order_decides() -> None:
    assert answers((CT, [J2K, EXPLICIT, IMPLICIT])) == [(0, J2K)]
    assert answers((CT, [IMPLICIT, JPEG])) == [(0, IMPLICIT)]


def test_each_context_of_one_class_gets_its_own_syntax() -> None:
    proposed = [(CT, [JPEG]), (CT, [EXPLICIT]), (CT, [J2K, IMPLICIT])]
    assert [syntax for _, syntax in answers(*proposed)] == [JPEG, EXPLICIT, J2K]


@pytest.mark.parametrize("syntax", sorted(JPIP | SMPTE))
def test_syntaxes_refused(syntax: str) -> None:
    assert answers((CT, [syntax])) == [(4, syntax)]
    assert answers((CT, [syntax, EXPLICIT])) == [(0, EXPLICIT)]


@pytest.mark.parametrize("abstract", ["1.3.46.670589.5.0.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.20.1"])
def test_classes_refused(abstract: str) -> None:
    """Private, Study Root C-FIND, Storage Commitment."""
    assert [result for result, _ in answers((abstract, [EXPLICIT]))] == [3]
    assert [r for r, _ in answers((CT, [EXPLICIT]), (abstract, [EXPLICIT]))] == [0, 3]


def test_verification_in_uncompressed_syntaxes_only() -> None:
    assert answers((contexts.VERIFICATION, [JPEG, IMPLICIT])) == [(0, IMPLICIT)]


WORDS = ("1.3.46.670589.5.0.1", "1.2.392.200036.")


@pytest.mark.parametrize(
    ("abstract", "taken"),
    [
        ("1.3.46.670589.5.0.1", True),
        ("1.3.46.670589.5.0.1.1", False),
        ("1.3.46.670589.5.0.11", False),
        ("1.2.392.200036.9116.7.8.1.1.1", True),
        ("1.2.392.200036", False),
        ("1.2.392.2000361.1", False),
        ("1.2.840.10008.5.1.4.1.2.2.1", False),
    ],
)
def test_private_classes_that_a_site_names(abstract: str, taken: bool) -> None:
    assert answers((abstract, [JPEG]), private=WORDS) == [(0, JPEG) if taken else (3, JPEG)]
    assert answers((abstract, [JPEG])) == [(3, JPEG)]
    assert answers((CT, [JPEG]), private=WORDS) == [(0, JPEG)]


def test_what_may_name_a_private_class() -> None:
    assert Dimse(private_sop_classes=list(WORDS)).private_sop_classes == list(WORDS)
    wrong = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.", "1.2.840.10008.", "1..2", "1.02", "", ".", "1.3.*", "9" * 65)
    for word in wrong:
        with pytest.raises(ValueError, match="private_sop_classes"):
            Dimse(private_sop_classes=[word])
