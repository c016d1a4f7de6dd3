"""The status tables are complete and carry no values."""

from __future__ import annotations

import pytest

from proxy.dimse import status
from proxy.errors import (
    MALFORMED_REASONS,
    DeliveryError,
    DeliveryTransient,
    DestinationRefuses,
    InstanceRejected,
    Reason,
)


class Told:
    def __init__(self, stored: bool, reason: Reason | None, answer: str = "accept") -> None:
        self.stored, self.reason, self.answer = stored, reason, answer


def test_every_reason_has_a_failure_status() -> None:
    assert set(status.STATUS_BY_REASON) == set(Reason)
    for code in status.STATUS_BY_REASON.values():
        assert code in {0x0110, 0x0122, 0xA900, 0xC000}


@pytest.mark.parametrize("reason", Reason)
def test_a_held_instance_sounds_like_success_unless_malformed_or_refused(reason: Reason) -> None:
    accepted = status.answer(Told(False, reason))
    refused = status.answer(Told(False, reason, "refuse"))
    assert accepted == (refused if reason in MALFORMED_REASONS else status.STORED)
    assert refused.status == status.STATUS_BY_REASON[reason] != 0
    assert refused.comment == f"held: {reason}"
    assert len(refused.comment) <= 64


@pytest.mark.parametrize("reason", sorted(MALFORMED_REASONS))
def test_unreadable_is_cannot_understand_but_a_wrong_uid_is_a_mismatch(reason: Reason) -> None:
    assert status.answer(Told(False, reason)).status == (0xA900 if reason is Reason.UID_MISMATCH else 0xC000)


def test_stored_is_success_without_a_comment() -> None:
    assert status.answer(Told(True, None)) == status.Answer(0x0000, "")


def test_an_outcome_that_is_neither_is_a_failure() -> None:
    assert status.answer(Told(False, None)) == status.FAILED


def test_fixed_answers_fit_into_an_error_comment() -> None:
    fixed = [a for a in vars(status).values() if isinstance(a, status.Answer)]
    assert len(fixed) >= 5
    assert all(len(a.comment) <= 64 and (a.comment or a.status == 0) for a in fixed)


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ((0x0000, 0xB000, 0xB006, 0xB007, 0xBFFF), None),
        ((0xA700, 0xA7FF, 0x0213, 0xFE00), DeliveryTransient),
        ((0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0110, 0x0111, 0x0117, 0x0001, 0x1234, 0xFFFF), InstanceRejected),
        ((0x0122, 0x0124), DestinationRefuses),
    ],
)
def test_what_a_destinations_status_means(codes: tuple[int, ...], error: type[DeliveryError] | None) -> None:
    for code in codes:
        if error is None:
            status.check_delivered(code)
        else:
            with pytest.raises(error) as caught:
                status.check_delivered(code)
            assert caught.value.code == f"{code:04X}"


def test_every_status_has_a_meaning() -> None:
    for code in range(0x10000):
        assert any(low <= code <= high for low, high, _ in status.MEANING)


def test_rejections() -> None:
    assert isinstance(status.association_rejected(1, 1, 3), DestinationRefuses)
    assert isinstance(status.association_rejected(2, 3, 2), DeliveryTransient)
    assert isinstance(status.association_rejected(9, 9, 9), DeliveryTransient)
    assert status.association_rejected(1, 1, 7).code == "A-ASSOCIATE-RJ 1/1/7"
