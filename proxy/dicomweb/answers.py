"""What a destination's answer to STOW-RS means for delivery (PS3.18 10.5.3): one table by status, one by reason."""

from __future__ import annotations

from typing import Any

from proxy.errors import DeliveryError, DeliveryTransient, DestinationRefuses, InstanceRejected

#: HTTP status → what it means where it does not come with a list of instances. By class of status otherwise.
_BY_STATUS: dict[int, type[DeliveryError]] = {
    400: InstanceRejected,
    401: DestinationRefuses,
    403: DestinationRefuses,
    404: DestinationRefuses,
    405: DestinationRefuses,
    406: DestinationRefuses,
    407: DestinationRefuses,
    408: DeliveryTransient,
    409: InstanceRejected,
    410: DestinationRefuses,
    413: InstanceRejected,
    415: InstanceRejected,
    423: DeliveryTransient,
    425: DeliveryTransient,
    429: DeliveryTransient,
}
#: By the hundreds: a redirect is a wrong URL, a 2xx without an answer is somebody else's.
_BY_CLASS: dict[int, type[DeliveryError]] = {
    2: DeliveryTransient,
    3: DestinationRefuses,
    4: InstanceRejected,
    5: DeliveryTransient,
}
#: Statuses whose body lists instances (PS3.18 table 10.5.3-2).
_WITH_LIST = frozenset({200, 202, 409})
_NOT_AUTHORISED = 0x0124


def judge(status: int, body: Any, sop_instance_uid: str) -> None:
    """Returns when the destination has the instance; raises the `DeliveryError` that says what to do otherwise."""
    if status in _WITH_LIST:
        answer = body[0] if isinstance(body, list) and len(body) == 1 else body  # a list of one is seen in the field
        if isinstance(answer, dict):
            _judge_failures(status, answer)
            if status != 409 and _names(answer, sop_instance_uid):
                return
    kind = _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, DeliveryTransient)
    raise kind(str(status), "the answer does not name the instance" if status // 100 == 2 else "")


def _judge_failures(status: int, answer: dict[str, Any]) -> None:
    # one instance was sent, so any failure is ours, also one without a name
    failures = _items(answer, "00081198") + _items(answer, "0008119A")
    if not failures:
        return
    failed = failures[0]
    values = failed.get("00081197", {}).get("Value") if isinstance(failed.get("00081197"), dict) else None
    reason = values[0] if isinstance(values, list) and values and isinstance(values[0], int) else 0
    code = f"{status} {reason & 0xFFFF:04X}"
    if reason >> 8 == 0xA7:
        raise DeliveryTransient(code, "out of resources")
    if reason == _NOT_AUTHORISED:
        raise DestinationRefuses(code, "not authorised")
    raise InstanceRejected(code, "in the failed SOP sequence")


def _names(answer: dict[str, Any], uid: str) -> bool:
    """Whether the referenced SOP sequence has our instance."""
    for item in _items(answer, "00081199"):
        element = item.get("00081155")
        values = element.get("Value") if isinstance(element, dict) else None
        if isinstance(values, list) and uid in values:
            return True
    return False


def _items(answer: dict[str, Any], sequence: str) -> list[dict[str, Any]]:
    element = answer.get(sequence)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
