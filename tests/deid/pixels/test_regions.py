"""Device rules in force: sizes, several rules, first matches, frames, what is kept; a rule for another size refuses."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.plan import Area, Box
from proxy.deid.pixels.regions import Found, find
from proxy.errors import InstanceHeld, Reason

CART = {"ManufacturerModelName": "Cart"}
BANNER = {"blank": [[0, 0, 64, 8]]}


def rule(name: str = "cart", match: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "match": match or CART, **more}


def found(
    make: ModuleType, *rules: dict[str, Any], size: tuple[int, int] = (64, 48), first: bool = False, **said: Any
) -> Found:
    document = {"version": 1, "name": "ours", "rules": list(rules), "first": first}
    ds = make.dataset(**{"ManufacturerModelName": "Cart", **said})
    instance = read_instance(memoryview(make.encode(ds)), make.policy())
    return find([read_devices("ours", document)], Attributes.of(instance.root, True), *size)


def boxes(result: Found) -> set[tuple[int, int, int, int]]:
    return {(a.box.left, a.box.top, a.box.right, a.box.bottom) for a in result.areas}


def test_a_rule_blanks_its_boxes(make: ModuleType) -> None:
    result = found(make, rule(sizes={"64x48": BANNER}))
    assert result == Found((Area(Box(0, 0, 64, 8), "device rule ours/cart"),), ("ours/cart",), covered=True)


def test_another_device(make: ModuleType) -> None:
    assert found(make, rule(sizes={"64x48": BANNER}), ManufacturerModelName="Other") == Found()


@pytest.mark.parametrize("size", [(64, 47), (63, 48), (128, 96), (48, 64)])
def test_another_size_refuses(make: ModuleType, size: tuple[int, int]) -> None:
    with pytest.raises(InstanceHeld) as held:
        found(make, rule(sizes={"64x48": BANNER, "32x24": BANNER | {"blank": [[0, 0, 32, 4]]}}), size=size)
    assert held.value.reason is Reason.PIXEL_RULE_MISMATCH


def test_another_size_refuses_although_another_rule_has_it(make: ModuleType) -> None:
    broad = rule("any-of-them", {"ManufacturerModelName": "present"}, any_size=BANNER)
    with pytest.raises(InstanceHeld):
        found(make, broad, rule(sizes={"64x48": BANNER}), size=(128, 96))


def test_other_sizes_may_be_ignored_explicitly(make: ModuleType) -> None:
    assert found(make, rule(sizes={"64x48": BANNER}, other_sizes="ignore"), size=(128, 96)) == Found()


def test_each_size_has_its_boxes(make: ModuleType) -> None:
    two = rule(
        sizes={
            "64x48": BANNER,
            "32x24": {"blank": [[0, 0, 32, 4]]},
            "*x99": {"blank": [[1, 1, 2, 2]]},
            "77x*": {"blank": [[3, 3, 4, 4]]},
        }
    )
    assert boxes(found(make, two, size=(32, 24))) == {(0, 0, 32, 4)}
    assert boxes(found(make, two, size=(7, 99))) == {(1, 1, 2, 2)}
    assert boxes(found(make, two, size=(77, 7))) == {(3, 3, 4, 4)}
    with pytest.raises(InstanceHeld):
        found(make, two, size=(7, 77))


def test_any_size_is_cut_to_the_image_and_covers_nothing(make: ModuleType) -> None:
    result = found(make, rule(any_size={"blank": [[0, 0, 640, 8], [700, 0, 800, 8]]}))
    assert boxes(result) == {(0, 0, 64, 8)}
    assert not result.covered


def test_several_rules_join(make: ModuleType) -> None:
    one, two = rule(sizes={"64x48": BANNER}), rule("foot", sizes={"64x48": {"blank": [[0, 40, 64, 48]]}})
    result = found(make, one, two)
    assert boxes(result) == {(0, 0, 64, 8), (0, 40, 64, 48)}
    assert result.rules == ("ours/cart", "ours/foot")


def test_what_one_rule_keeps_another_may_blank(make: ModuleType) -> None:
    keep = rule("keep", sizes={"64x48": {"keep": [[0, 8, 64, 48]]}})
    inner = rule("inner", sizes={"64x48": {"blank": [[10, 10, 20, 20]]}})
    assert boxes(found(make, keep, inner)) == {(0, 0, 64, 8), (10, 10, 20, 20)}


def test_first_match_only(make: ModuleType) -> None:
    one, two = rule(sizes={"64x48": BANNER}), rule("foot", any_size={"blank": [[0, 40, 64, 48]]})
    assert found(make, one, two, first=True).rules == ("ours/cart",)
    assert found(make, two, one, first=True).rules == ("ours/foot",)
    assert found(make, one, two, first=True, size=(65, 48)).rules == ("ours/foot",), "one that has the size"
    with pytest.raises(InstanceHeld):
        found(make, one, first=True, size=(65, 48))


def test_keep_and_all(make: ModuleType) -> None:
    kept = found(make, rule(sizes={"64x48": {"keep": [[0, 0, 32, 48]], "blank": [[0, 0, 4, 4]]}}))
    assert boxes(kept) == {(32, 0, 64, 48), (0, 0, 4, 4)}
    assert boxes(found(make, rule(any_size={"blank": "all"}), size=(7, 5))) == {(0, 0, 7, 5)}
    assert boxes(found(make, rule(sizes={"64x48": {"blank": []}}))) == set()


def test_ultrasound_regions_of_the_header(make: ModuleType) -> None:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = 1, 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 0, 8
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 63, 47
    keep = rule(any_size={"keep": "ultrasound"})
    assert boxes(found(make, keep, SequenceOfUltrasoundRegions=[item])) == {(0, 0, 64, 8)}
    with pytest.raises(InstanceHeld) as held:
        found(make, keep)
    assert held.value.reason is Reason.PIXEL_RULE_MISMATCH


def test_frames(make: ModuleType) -> None:
    title = rule(sizes={"64x48": {"blank": "all", "frames": [1, "3-5"]}})
    result = found(make, title, NumberOfFrames="4")
    assert [area.frames for area in result.areas] == [(0, 2, 3)]
    assert not result.covered
    assert [area.frames for area in found(make, title).areas] == [(0,)]
    late = rule(sizes={"64x48": {"blank": "all", "frames": [9]}})
    assert found(make, late).areas == ()


def test_a_rule_that_names_the_annotation_explains_it(make: ModuleType) -> None:
    naming = rule(match={**CART, "BurnedInAnnotation": "YES"}, sizes={"64x48": BANNER})
    assert found(make, naming, BurnedInAnnotation="YES").explained
    assert not found(make, rule(sizes={"64x48": BANNER}), BurnedInAnnotation="YES").explained
    uncovering = {**naming, "covers": False}
    assert not found(make, uncovering, BurnedInAnnotation="YES").explained
    beside = rule(match={**CART, "not": {"BurnedInAnnotation": "NO"}}, sizes={"64x48": BANNER})
    assert not found(make, beside, BurnedInAnnotation="YES").explained
