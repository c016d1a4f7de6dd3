"""JSON from bytes is the JSON that `dicom_json` makes with pydicom, or an error; never something else."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import pydicom
import pydicom.data
import pytest

from proxy.wire.dicom_json import Source, bulk_name, to_json
from proxy.wire.explicit_json import ExplicitJson

SOURCE = Source(bulk_name, lambda element: b"")


def _is_ours(path: Path) -> bool:
    start = path.read_bytes()[:600]
    return start[128:132] == b"DICM" and EXPLICIT in start


EXPLICIT = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
BUNDLED = Path(pydicom.data.__file__).parent
FILES = sorted(p for folder in ("test_files", "charset_files") for p in (BUNDLED / folder).glob("*.dcm") if _is_ours(p))


def head(data: bytes) -> int:
    """Where the data set begins."""
    assert data[128:144] == b"DICM\x02\x00\x00\x00UL\x04\x00" + data[140:144]
    return 144 + int(struct.unpack_from("<I", data, 140)[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_what_the_slow_way_says(path: Path) -> None:
    data = path.read_bytes()
    slow = to_json(pydicom.dcmread(path), SOURCE)
    try:
        fast = ExplicitJson(SOURCE).of(data, head(data))
    except ValueError:
        assert path.name in {"MR_truncated.dcm"}
        return
    assert json.dumps(fast) == json.dumps(slow)


def test_most_were_compared() -> None:
    assert len(FILES) > 30


def element(tag: int, vr: str, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def test_character_sets_hold_inside_items_and_alike_elements_are_shared() -> None:
    name = element(0x00100010, "PN", "Müller".encode("latin-1"))
    inner = struct.pack("<HHI", 0xFFFE, 0xE000, len(name)) + name
    items = struct.pack("<HH2sHI", 0x0010, 0x1002, b"SQ", 0, len(inner)) + inner
    reader = ExplicitJson(SOURCE)
    latin = reader.of(element(0x00080005, "CS", b"ISO_IR 100") + items, 0)
    assert latin["00101002"]["Value"][0]["00100010"]["Value"] == [{"Alphabetic": "Müller"}]
    plain = reader.of(items, 0)
    assert plain != latin
    assert reader.of(items, 0)["00101002"]["Value"][0]["00100010"] is plain["00101002"]["Value"][0]["00100010"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of character sets that do not exist
def test_mutated_bytes_are_read_or_refused() -> None:
    rng = random.Random(20260101)
    data = next(path for path in FILES if path.name == "rtplan.dcm" or path.name == "test-SR.dcm").read_bytes()
    start, refused = head(data), 0
    for _ in range(1500):
        mutated = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            mutated[rng.randrange(start, len(data))] = rng.randrange(256)
        cut = bytes(mutated[: rng.randrange(start, len(data))] if rng.random() < 0.3 else mutated)
        try:
            json.dumps(ExplicitJson(SOURCE).of(cut, start))
        except ValueError:
            refused += 1
    assert refused > 300


def test_nesting_is_bounded() -> None:
    sequence = struct.pack("<HH2sHIHHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(ValueError, match="a sequence that cannot be followed"):
        ExplicitJson(SOURCE).of(sequence * 100, 0)
