"""The pre-scan on well-formed data: what it finds, in every encoding, and that it accounts for every byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset

from proxy.deid.tokens import ITEM, UNDEFINED, Limits, Token, inflate, is_sequence, read_part10, scan
from proxy.errors import InstanceHeld, Reason

LIMITS = Limits()
FOLDER = Path(pydicom.data.__file__).parent
#: no preamble, cut short, or not in the transfer syntax that they name
REFUSED = {
    "ExplVR_BigEndNoMeta", "ExplVR_LitEndNoMeta", "MR_truncated", "SC_rgb_jpeg", "meta_missing_tsyntax", "no_meta",
    "rtplan_truncated", "rtstruct", "OT-PAL-8-face",
}  # fmt: skip
BUNDLED = sorted(p for f in ("test_files", "charset_files") for p in (FOLDER / f).glob("*.dcm"))


def explicit(tag: int, vr: bytes, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    size = len(value) if length is None else length
    group, number = tag >> 16, tag & 0xFFFF
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OD", b"OF", b"OL", b"OV", b"SV", b"UV"):
        return struct.pack(f"{order}HH2s2xI", group, number, vr, size) + value
    return struct.pack(f"{order}HH2sH", group, number, vr, size) + value


def implicit(tag: int, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, undefined: bool = False, order: str = "<") -> bytes:
    end = implicit(0xFFFEE00D, b"", order=order) if undefined else b""
    return implicit(ITEM, value, UNDEFINED if undefined else None, order) + end


SEQUENCE_END = implicit(0xFFFEE0DD, b"")


def tokens(data: bytes, *, implicit: bool = False, little: bool = True, limits: Limits = LIMITS) -> list[Token]:
    return scan(memoryview(data), 0, implicit=implicit, little=little, limits=limits)


def assert_accounted(found: Sequence[Token], start: int, end: int, index: int = 0) -> int:
    """From ``index`` on, tokens tile ``start:end``, and those inside them their content; returns the next index."""
    at = start
    while index < len(found) and found[index].offset < end:
        token = found[index]
        assert token.offset == at
        content_end = token.end - (8 if token.length == UNDEFINED else 0)
        if token.length != UNDEFINED:
            assert token.value_offset + token.length == token.end
        index += 1
        if index < len(found) and found[index].offset < token.end:
            assert found[index].depth == token.depth + (token.tag != ITEM)
            index = assert_accounted(found, token.value_offset, content_end, index)
        at = token.end
    assert at == end
    return index


def test_a_flat_explicit_data_set() -> None:
    data = explicit(0x00080060, b"CS", b"CT") + explicit(0x7FE00010, b"OW", b"\1\2\3\4")
    assert tokens(data) == [
        Token(0x00080060, "CS", 0, 8, 2, 10, 0),
        Token(0x7FE00010, "OW", 10, 22, 4, 26, 0),
    ]


def test_big_endian() -> None:
    inner = explicit(0x00080100, b"SH", b"AB", order=">")
    data = explicit(0x00081032, b"SQ", item(inner, order=">"), order=">")
    found = tokens(data, little=False)
    assert [(t.tag, t.vr, t.depth) for t in found] == [(0x00081032, "SQ", 0), (ITEM, "", 1), (0x00080100, "SH", 1)]


@pytest.mark.parametrize("undefined_item", [False, True])
@pytest.mark.parametrize("undefined_sequence", [False, True])
@pytest.mark.parametrize("is_implicit", [False, True])
def test_every_form_of_sequence(is_implicit: bool, undefined_sequence: bool, undefined_item: bool) -> None:
    leaf = implicit(0x00080100, b"AB") if is_implicit else explicit(0x00080100, b"SH", b"AB")
    after = implicit(0x00081090, b"X ") if is_implicit else explicit(0x00081090, b"LO", b"X ")
    content = item(leaf, undefined_item) + item(b"", undefined_item) + item(leaf, undefined_item)
    length = UNDEFINED if undefined_sequence else len(content)
    content += SEQUENCE_END if undefined_sequence else b""
    whole = implicit(0x00081032, content, length) if is_implicit else explicit(0x00081032, b"SQ", content, length)
    found = tokens(whole + after, implicit=is_implicit)
    assert [(t.tag, t.depth) for t in found] == [
        (0x00081032, 0), (ITEM, 1), (0x00080100, 1), (ITEM, 1), (ITEM, 1), (0x00080100, 1), (0x00081090, 0),
    ]  # fmt: skip
    assert found[0].end == len(whole)
    assert found[-1].end == len(whole + after)
    assert_accounted(found, 0, len(whole + after))


def test_encapsulated_pixel_data_is_one_token_walked_by_length() -> None:
    fragments = item(b"") + item(b"\xfe\xff\xdd\xe0\0\0\0\0abcd") + item(b"xy") + SEQUENCE_END
    data = explicit(0x7FE00010, b"OB", fragments, UNDEFINED) + explicit(0xFFFCFFFC, b"OB", b"\0\0")
    found = tokens(data)
    assert [t.tag for t in found] == [0x7FE00010, 0xFFFCFFFC]
    assert found[0].length == UNDEFINED
    assert found[0].end == 12 + len(fragments)


def test_unknown_of_undefined_length_is_implicit_little_endian_whatever_is_around_it() -> None:
    """PS3.5 6.2.2."""
    content = item(implicit(0x00100010, b"A^B "), undefined=True) + SEQUENCE_END
    for little, order in ((True, "<"), (False, ">")):
        data = explicit(0x00091001, b"UN", content, UNDEFINED, order)
        found = tokens(data, little=little)
        assert [(t.tag, t.vr, t.depth) for t in found] == [(0x00091001, "UN", 0), (ITEM, "", 1), (0x00100010, "", 1)]


def test_unknown_of_defined_length_is_opened_where_the_tag_is_a_sequence() -> None:
    content = item(implicit(0x00100010, b"A^B "))
    assert len(tokens(explicit(0x00081032, b"UN", content))) == 3
    assert len(tokens(explicit(0x00091001, b"UN", content))) == 1
    assert len(tokens(explicit(0x00100041, b"UN", content))) == 3  # younger than pydicom's dictionary


def test_private_sequences_are_scanned() -> None:
    data = explicit(0x00091001, b"SQ", item(explicit(0x00091002, b"LO", b"X ")))
    assert [t.tag for t in tokens(data)] == [0x00091001, ITEM, 0x00091002]


def test_a_caller_may_say_what_a_sequence_is() -> None:
    data = implicit(0x00091001, item(implicit(0x00091002, b"X ")))
    assert (
        len(
            scan(memoryview(data), 0, implicit=True, little=True, limits=LIMITS, sequence=lambda tag: tag == 0x00091001)
        )
        == 3
    )
    assert len(tokens(data, implicit=True)) == 1


def test_order_within_a_level_is_free_but_a_tag_stands_once() -> None:
    one, other = explicit(0x00080060, b"CS", b"CT"), explicit(0x00080008, b"CS", b"OK")
    assert len(tokens(one + other)) == 2
    with pytest.raises(InstanceHeld) as held:
        tokens(one + other + one)
    assert held.value.reason is Reason.MALFORMED
    inner = explicit(0x00081032, b"SQ", item(one) + item(one))  # another item is another level
    assert len(tokens(one + inner)) == 6


def test_an_empty_data_set() -> None:
    assert tokens(b"") == []


def test_what_a_sequence_is() -> None:
    assert is_sequence(0x00081140)
    assert not is_sequence(0x00100010)
    assert not is_sequence(0x00091001)


def plain(path: Path) -> tuple[memoryview, int, str]:
    data = memoryview(path.read_bytes())
    head = read_part10(data)
    if head.transfer_syntax_uid == "1.2.840.10008.1.2.1.99":
        return memoryview(inflate(data, head.dataset_offset, LIMITS)), 0, head.transfer_syntax_uid
    return data, head.dataset_offset, head.transfer_syntax_uid


def count(dataset: Dataset) -> int:
    """Elements and items at every depth, as pydicom sees them."""
    total = 0
    for element in dataset:
        total += 1
        if element.VR == "SQ":
            total += sum(1 + count(nested) for nested in element.value)
    return total


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", BUNDLED, ids=lambda p: p.name)
def test_bundled_files_agree_with_pydicom(path: Path) -> None:
    """Every element that pydicom finds is a token, and the other way round; or the file is refused with a reason."""
    try:
        data, offset, syntax = plain(path)
        found = scan(
            data,
            offset,
            implicit=syntax == "1.2.840.10008.1.2",
            little=syntax != "1.2.840.10008.1.2.2",
            limits=LIMITS,
        )
    except InstanceHeld:
        refused = True
    else:
        refused = False
    assert refused is (path.stem in REFUSED)
    if refused:
        return
    assert_accounted(found, offset, len(data))
    dataset = pydicom.dcmread(path)
    assert {t.tag for t in found if t.depth == 0} == {int(e.tag) for e in dataset}
    if not any(t.vr == "UN" or t.tag >> 16 & 1 for t in found):
        assert len(found) == count(dataset)


def test_read_part10_reads_what_pydicom_reads() -> None:
    path = FOLDER / "test_files" / "CT_small.dcm"
    head = read_part10(memoryview(path.read_bytes()))
    meta = pydicom.dcmread(path).file_meta
    assert head.transfer_syntax_uid == meta.TransferSyntaxUID
    assert head.sop_class_uid == meta.MediaStorageSOPClassUID
    assert head.sop_instance_uid == meta.MediaStorageSOPInstanceUID


def meta(*elements: bytes, length: bool = True) -> bytes:
    body = b"".join(elements)
    group_length = explicit(0x00020000, b"UL", struct.pack("<I", len(body))) if length else b""
    return bytes(128) + b"DICM" + group_length + body


def test_group_0002_ends_where_its_length_says() -> None:
    """A deflated data set may begin with the bytes of group 0002."""
    syntax = explicit(0x00020010, b"UI", b"1.2.840.10008.1.2.1.99")
    head = meta(syntax)
    assert read_part10(memoryview(head + b"\x02\x00garbage")).dataset_offset == len(head)
    head = meta(syntax, length=False)
    assert read_part10(memoryview(head + explicit(0x00080060, b"CS", b"CT"))).dataset_offset == len(head)


def test_silent_file_meta_information() -> None:
    head = read_part10(memoryview(bytes(128) + b"DICM"))
    assert (head.transfer_syntax_uid, head.sop_class_uid, head.dataset_offset) == ("", "", 132)


def packed(plain: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


@pytest.mark.parametrize("tail", ["", "nul", "nuls", "gzip"])
def test_inflate_and_what_may_follow(tail: str) -> None:
    text = b"data set " * 100
    end = {"": b"", "nul": b"\0", "nuls": b"\0" * 9, "gzip": struct.pack("<II", zlib.crc32(text), len(text))}[tail]
    assert inflate(memoryview(b"head" + packed(text) + end), 4, LIMITS) == text


def test_inflate_of_a_very_compressible_small_data_set() -> None:
    """An empty mask packs 1000 to 1 and is no bomb."""
    assert len(inflate(memoryview(packed(bytes(10 << 20))), 0, LIMITS)) == 10 << 20


def test_scan_reads_what_pydicom_writes() -> None:
    dataset = Dataset()
    dataset.PatientName = "A^B"
    dataset.ReferencedStudySequence = [Dataset(), Dataset()]
    for is_implicit in (True, False):
        out = io.BytesIO()
        pydicom.dcmwrite(out, dataset, implicit_vr=is_implicit, little_endian=True, enforce_file_format=False)
        found = tokens(out.getvalue(), implicit=is_implicit)
        assert [t.tag for t in found] == [0x00081110, ITEM, ITEM, 0x00100010]
