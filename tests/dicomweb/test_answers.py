from __future__ import annotations

from typing import Any

import pytest

from proxy.dicomweb.answers import judge
from proxy.errors import DeliveryTransient, DestinationRefuses, InstanceRejected

UID = "2.25.3"


def sequence(tag: str, reason: int | None = None, uid: str | None = UID) -> dict[str, Any]:
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}} if uid else {}
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    return {tag: {"vr": "SQ", "Value": [item]}}


STORED = sequence("00081199")


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("wrap", [lambda a: a, lambda a: [a]])
def test_delivered_when_the_answer_names_the_instance(status: int, wrap: Any) -> None:
    judge(status, wrap(STORED), UID)
    judge(status, wrap(STORED | {"00081198": {"vr": "SQ"}}), UID)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, None, DeliveryTransient, "200"),
        (200, {}, DeliveryTransient, "200"),
        (200, [], DeliveryTransient, "200"),
        (200, sequence("00081199", uid="2.25.4"), DeliveryTransient, "200"),
        (204, None, DeliveryTransient, "204"),
        (200, STORED | sequence("00081198", 0x0110), InstanceRejected, "200 0110"),
        (202, sequence("00081198", 0xA900), InstanceRejected, "202 A900"),
        (202, sequence("00081198", 0xA700), DeliveryTransient, "202 A700"),
        (409, sequence("00081198", 0xC000), InstanceRejected, "409 C000"),
        (409, sequence("00081198", 0xA701), DeliveryTransient, "409 A701"),
        (409, sequence("00081198", 0x0124), DestinationRefuses, "409 0124"),
        (409, sequence("0008119A", 0xC000, uid=None), InstanceRejected, "409 C000"),
        (409, sequence("00081198"), InstanceRejected, "409 0000"),
        (409, STORED, InstanceRejected, "409"),
        (409, None, InstanceRejected, "409"),
        (400, None, InstanceRejected, "400"),
        (413, None, InstanceRejected, "413"),
        (415, None, InstanceRejected, "415"),
        (401, None, DestinationRefuses, "401"),
        (403, None, DestinationRefuses, "403"),
        (404, None, DestinationRefuses, "404"),
        (301, None, DestinationRefuses, "301"),
        (307, None, DestinationRefuses, "307"),
        (429, None, DeliveryTransient, "429"),
        (500, None, DeliveryTransient, "500"),
        (503, STORED, DeliveryTransient, "503"),
        (200, {"00081199": "nonsense", "00081198": 7}, DeliveryTransient, "200"),
        (200, {"00081199": {"Value": [None, {"00081155": []}]}}, DeliveryTransient, "200"),
    ],
)
def test_everything_else(status: int, body: Any, kind: type[Exception], code: str) -> None:
    with pytest.raises(kind) as caught:
        judge(status, body, UID)
    assert type(caught.value) is kind
    assert caught.value.code == code  # type: ignore[attr-defined]
