"""What the gate takes for an identifier, how it decodes text on its own, and where it looks."""

from __future__ import annotations

import re
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes

from proxy.deid.allowed import is_pseudonym
from proxy.deid.identifiers import Identifiers, collect
from proxy.deid.pseudonym import HmacPseudonyms
from proxy.deid.reading import Leaf, known_vr, leaves
from proxy.deid.repertoire import codec_of, decode, folded
from proxy.deid.search import Search
from proxy.deid.tokens import Limits, scan


def leaf(tag: int, vr: str, value: bytes, codec: str | None = "latin_1", known: str = "") -> Leaf:
    return Leaf(tag, vr, known or known_vr(tag), (), memoryview(value), 0, codec)


def source(*elements: Leaf) -> Identifiers:
    return collect(elements)


def found(text: str | bytes, *elements: Leaf, tag: int = 0x00181020, vr: str = "LO") -> bool:
    value = text if isinstance(text, bytes) else text.encode("latin_1")
    return Search(source(*elements), {b"", b"REMOVED"}.__contains__).finds(leaf(tag, vr, value, known=vr))


NAME = leaf(0x00100010, "PN", b"van der Berg^Jo^Anne-Marie^Dr.=Other^Group")
MRN = leaf(0x00100020, "LO", b"AB-0042/7")
BORN = leaf(0x00100030, "DA", b"19501231")
UID = leaf(0x0020000D, "UI", b"1.2.840.113619.2.55.3\0")


@pytest.mark.parametrize(
    "text",
    ["van der Berg", "VAN DER BERG", "berg", "Berg, Jo", "x/Berg/x", "Berg7", "7Berg", "marie", "Anne Marie", "Other"],
)
def test_parts_of_a_name(text: str) -> None:
    assert found(text, NAME)


@pytest.mark.parametrize(
    "text", ["Jo", "Dr.", "van", "der", "Bergmann", "Iceberg", "Mariela", "otherwise", "", "REMOVED"]
)
def test_what_is_no_part_of_a_name(text: str) -> None:
    assert not found(text, NAME)


@pytest.mark.parametrize("text", ["AB-0042/7", "ab 0042 7", "(AB0042-7)", "pid=AB-0042/7;"])
def test_numbers(text: str) -> None:
    assert found(text, MRN)


@pytest.mark.parametrize("text", ["AB-0042", "0042/7", "AB-0042/71", "AB-00427", "CAB-0042/7", "AB 0042.7"])
def test_what_is_another_number(text: str) -> None:
    assert not found(text, MRN)


def test_short_numbers_do_not_count() -> None:
    assert not found("17 is 17", leaf(0x00100020, "LO", b"17"))
    assert found("1700 is it", leaf(0x00100020, "LO", b"1700"))
    assert not found("1700", leaf(0x00100020, "LO", b"1700"), vr="DS", tag=0x00180080)
    assert found("170000", leaf(0x00100020, "LO", b"170000"), vr="DS", tag=0x00180080)


@pytest.mark.parametrize(
    "text",
    [
        *("19501231", "1950-12-31", "31.12.1950", "12/31/1950", "31/12/1950", "31-12-1950", "31 Dec 1950"),
        *("Dec 31 1950", "*31.12.1950", "1950.12.31", "31-DEC-1950"),
    ],
)
def test_birth_dates(text: str) -> None:
    assert found(text, BORN)


@pytest.mark.parametrize("text", ["1950", "19501230", "195012310", "31.12.1951", "12/1950"])
def test_what_is_not_the_birth_date(text: str) -> None:
    assert not found(text, BORN)


@pytest.mark.parametrize("value", [b"", b"1950", b"19501331", b"unknown "])
def test_birth_dates_that_are_none_do_no_harm(value: bytes) -> None:
    assert not found("1950 and so on", leaf(0x00100030, "DA", value))


def test_uids() -> None:
    assert source(UID).uids == {"1.2.840.113619.2.55.3"}
    assert found("UID 1.2.840.113619.2.55.3.", UID)
    assert found(b"1.2.840.113619.2.55.3\0", UID, vr="UI", tag=0x00081155)
    assert found(b"1.2\\1.2.840.113619.2.55.3", UID, vr="UI", tag=0x00081155)
    assert found(b"\0\x011.2.840.113619.2.55.3\0", UID, vr="OB", tag=0x00420011)
    assert not found("1.2.840.113619.2.55.31", UID)
    assert not found(b"1.2.840.113619.2.55.3.1", UID, vr="UI", tag=0x00081155)
    assert source(leaf(0x00080016, "UI", b"1.3.46.1.2.3.4"), leaf(0x00080018, "UI", b"1.2.840.10008.1.2")).uids == set()


def test_uid_values_that_are_no_uids_are_read_as_text() -> None:
    assert found(b"BERG", NAME, vr="UI", tag=0x00081155)
    assert found(b"Berg", NAME, vr="DA", tag=0x00080020)


def test_a_vr_in_the_file_does_not_hide_text() -> None:
    hidden = leaf(0x00080070, "CS", b"MR BERG", known="LO")
    assert Search(source(NAME), {b""}.__contains__).finds(hidden)


def test_makers_may_be_called_like_institutions() -> None:
    place = leaf(0x00080080, "LO", b"General Imaging")
    assert not found("General Imaging Inc.", place, tag=0x00080070)
    assert found("General Imaging Inc.", place, tag=0x00189005, vr="SH")


def test_identifiers_have_no_readable_repr() -> None:
    assert not re.search("berg|0042|1950|113619", repr(source(NAME, MRN, BORN, UID)), re.IGNORECASE)


def test_long_documents_are_not_identifiers() -> None:
    document = leaf(0x00101000, "LO", b"word " * 2000)
    assert source(document).words == {}


@given(st.binary(max_size=60), st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "GBK", "ISO_IR 13"]))
def test_collecting_never_fails(value: bytes, charset: str) -> None:
    codec = codec_of(charset)
    source(*(leaf(tag, "PN", value, codec) for tag in (0x00100010, 0x00080090)), leaf(0x00100020, "LO", value, codec))
    source(leaf(0x00100030, "DA", value), leaf(0x0020000D, "UI", value))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_folding_is_stable(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def test_pseudonyms_are_recognised() -> None:
    for prefix in ("", "P-"):
        value = HmacPseudonyms(bytes(32), prefix).patient_id("", "1")
        assert is_pseudonym(value, prefix)
        assert not is_pseudonym(value[:-1], prefix)
        assert not is_pseudonym("SCHWARZENBERGERXY", prefix)
        wrong = "0" if value[-1] != "0" else "1"
        assert not is_pseudonym(value[:-1] + wrong, prefix)


CHARSETS: list[tuple[Any, str]] = [
    ("", "Doe^Jane"),
    ("ISO_IR 100", "Buc^Jérôme"),
    ("ISO_IR 101", "Wałęsa^Łukasz"),
    ("ISO_IR 109", "Ĥoraĉo^X"),
    ("ISO_IR 110", "Āboliņš^Ģirts"),
    ("ISO_IR 144", "Люкceмбypг"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 138", "שרון^דבורה"),
    ("ISO_IR 148", "Çavuşoğlu^Şükrü"),
    ("ISO_IR 166", "สมชาย^ใจดี"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("ISO_IR 192", "山田^太郎"),
    ("GB18030", "王^小东"),
    ("GBK", "王^小东"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    (["ISO 2022 IR 100", "ISO 2022 IR 144"], "Jérôme=Люкceмбypг"),
]


@pytest.mark.parametrize(("charset", "text"), CHARSETS)
def test_text_is_decoded_as_pydicom_decodes_it(charset: Any, text: str) -> None:
    """pydicom encodes; two decoders that share nothing agree."""
    encodings = convert_encodings(charset)
    raw = bytes(pydicom.valuerep.PersonName(text, encodings).encode(encodings))
    declared = charset if isinstance(charset, str) else "\\".join(charset)
    ours = decode(raw, codec_of(declared), strict=True)
    assert ours == text
    assert decode_bytes(raw, encodings, {0x5C, 0x5E, 0x3D}) == text


def test_simplified_chinese_with_escapes() -> None:
    """PS3.5 K.2 (pydicom's encoder leaves the escape sequences out)."""
    raw = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
    assert decode(raw, codec_of("\\ISO 2022 IR 58"), strict=True) == "Zhang^XiaoDong=张^小东="


def test_text_that_is_not_in_its_character_set() -> None:
    with pytest.raises(ValueError, match="codec"):
        decode(b"\xff", "utf_8", strict=True)
    with pytest.raises(ValueError, match="escape"):
        decode(b"a\x1b$Zb", "latin_1", strict=True)
    assert decode(b"\xff", "utf_8", strict=False) == "\ufffd"
    with pytest.raises(LookupError):
        codec_of("ISO_IR 999")


def test_leaves_know_their_place_and_character_set() -> None:
    inner = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192" + b"\x10\x00\x10\x00PN\x02\x00AB"
    item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    data = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
    data += b"\x08\x00\x40\x11SQ\0\0" + (len(item) * 2).to_bytes(4, "little") + item * 2
    data += b"\x10\x00\x10\x00PN\x02\x00AB"
    tokens = scan(memoryview(data), 0, implicit=False, little=True, limits=Limits())
    read = [(x.tag, x.path, x.codec) for x in leaves(memoryview(data), tokens, known_vr)]
    assert read == [
        (0x00080005, (), "latin_1"),
        (0x00081140, (), "latin_1"),
        (0x00080005, (0x00081140, 0), "utf_8"),
        (0x00100010, (0x00081140, 0), "utf_8"),
        (0x00080005, (0x00081140, 1), "utf_8"),
        (0x00100010, (0x00081140, 1), "utf_8"),
        (0x00100010, (), "latin_1"),
    ]
