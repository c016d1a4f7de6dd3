"""Kinds become devices: what came last says how it stands, and what needs somebody comes first."""

from __future__ import annotations

from proxy.deid.device import Device
from proxy.deid.tables import SopClass
from proxy.service.coverage import Coverage, covered
from proxy.store.devices import Kind, Seen

CART, SCANNER, OTHER = Device("Acme", "Cart", "US", "1"), Device("Acme", "Scanner", "CT", "2"), Device("Zeta")
CLASSES = {"1": SopClass("1", "Ultrasound Image", "high", (), "")}


def seen(device: Device, answer: str, instances: int, last: float, reason: str = "") -> Seen:
    return Seen(Kind("research", device, answer, reason), instances, last)


def test_what_came_last_says_how_a_device_stands() -> None:
    rows = [
        seen(CART, "held", 4, 100.0, "burned-in-annotation"),
        seen(CART, "held", 1, 90.0, "pixel-rule-mismatch"),
        seen(CART, "rule", 2, 200.0),
    ]
    (found,) = covered(rows, CLASSES)
    assert (found.answer, found.reason, found.ruled, found.instances, found.last) == ("rule", "", True, 7, 200.0)
    assert found.held == {"burned-in-annotation": 4, "pixel-rule-mismatch": 1}
    assert found.sop_class == "Ultrasound Image"
    (found,) = covered([*rows, seen(CART, "held", 1, 200.0, "recognizable-face")], CLASSES)
    assert (found.answer, found.reason) == ("held", "recognizable-face")  # of the same minute: the one to look at


def test_what_needs_somebody_comes_first() -> None:
    rows = [
        seen(OTHER, "rule + full", 900, 1.0),
        seen(SCANNER, "screen", 5, 1.0),
        seen(Device("Beta"), "full", 50, 1.0),
        seen(CART, "held", 1, 1.0, "burned-in-annotation"),
    ]
    assert [each.device.manufacturer for each in covered(rows, {})] == ["Acme", "Beta", "Acme", "Zeta"]
    assert [each.ruled for each in covered(rows, {})] == [False, False, False, True]


async def test_classes_are_those_in_force() -> None:
    class Counts:
        async def of(self, project: str) -> list[Seen]:
            return [seen(CART, "rule", 1, 1.0)] if project == "research" else []

    coverage = Coverage(Counts(), lambda: CLASSES)
    assert [each.sop_class for each in await coverage.of("research")] == ["Ultrasound Image"]
    assert await coverage.of("other") == []
