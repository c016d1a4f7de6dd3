"""The reference reader: the same `Level` by pydicom's parser and the pure-Python scan, for tests to compare with."""

from __future__ import annotations

import io
from collections.abc import Iterator

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from proxy.deid.access import PIXEL_DATA
from proxy.deid.decode import Instance, Pixels, open_body
from proxy.deid.engine import transform
from proxy.deid.level import Gone, Level, Run, Value
from proxy.deid.profile import Policy
from proxy.deid.tokens import UNDEFINED, scan
from proxy.deid.types import Claimed, Deidentified
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason


class PydicomLevel:
    """A `Level` of a pydicom data set; every element goes through the walk."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __contains__(self, tag: int) -> bool:
        return tag in self._dataset

    def tags(self) -> list[int]:
        return sorted(int(tag) for tag in self._dataset.keys())  # noqa: SIM118

    def parts(self) -> Iterator[int | Run | Gone]:
        yield from self.tags()

    def value(self, tag: int) -> tuple[str, Value]:
        element = self._dataset.get_item(BaseTag(tag), keep_deferred=True)
        if isinstance(element, RawDataElement):
            return element.VR or "", element.value or b""
        assert element is not None
        assert element.VR == "SQ"
        return "SQ", [PydicomLevel(item) for item in element.value]

    def items(self, tag: int) -> list[Level]:
        element = self._dataset.get_item(BaseTag(tag), keep_deferred=True)
        if isinstance(element, RawDataElement):
            unknown = element.VR == "UN"
            implicit, little = element.is_implicit_VR or unknown, element.is_little_endian or unknown
            return [PydicomLevel(item) for item in convert_SQ(element.value or b"", implicit, little)]
        return [PydicomLevel(item) for item in element.value] if element is not None else []


def deidentify(data: memoryview, claimed: Claimed, policy: Policy) -> Deidentified:
    """As `proxy.deid.engine.deidentify`, by another reader."""
    with strict_text():
        head, syntax, body, offset = open_body(data, policy)
        tokens = scan(body, offset, implicit=syntax.implicit, little=syntax.little, limits=policy.limits)
        top = [token for token in tokens if token.depth == 0]
        found = [token for token in top if token.tag in PIXEL_DATA]
        if len(found) > 1 or (found and (found[0].length == UNDEFINED) != (syntax.handling != "native")):
            raise InstanceHeld(Reason.MALFORMED, "pixel data")
        pixels = None
        if found:
            pixels = Pixels(found[0].tag, found[0].offset, found[0].end, found[0].value_offset, found[0].vr)
        parts = [body[offset:]] if pixels is None else [body[offset : pixels.offset], body[pixels.end :]]
        dataset = read_dataset(io.BytesIO(b"".join(parts)), syntax.implicit, syntax.little)
        return transform(Instance(head, syntax, body, PydicomLevel(dataset), pixels, True), claimed, policy)
