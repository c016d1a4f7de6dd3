"""What an instance says about people and places, gathered for the cleaner of its texts (`proxy.deid.text`).

Every depth, private elements too. Asked only when a text is to be cleaned. The gate has a list of its own, on purpose:
what one forgets the other finds. The result is PHI. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.access import charset_of
from proxy.deid.level import Level
from proxy.deid.text import Identity
from proxy.deid.values import DEFAULT, Charset
from proxy.errors import InstanceHeld

#: identifiers of the patient, the visit, the order, the specimen and the device, and telephone numbers (PS3.6)
_NUMBERS = frozenset(
    {0x00080050, 0x00100020, 0x00101000, 0x00101081, 0x00101090, 0x00102154, 0x00102155, 0x00080094}
    | {0x00200010, 0x00380010, 0x00380060, 0x00400009, 0x00400253, 0x00401001, 0x00402010, 0x00402016}
    | {0x00402017, 0x00400512, 0x00400551, 0x00120040, 0x00120042, 0x00181000, 0x0018700A}
    | {0x00181008, 0x00189367}
)
#: institutions, departments, addresses, station names, regions (PS3.6)
_PLACES = frozenset(
    {0x00080080, 0x00080081, 0x00080092, 0x00081010, 0x00081040, 0x00101040, 0x00102150, 0x00102152, 0x00380300}
    | {0x00380400, 0x00400242, 0x00400243, 0x00120031, 0x00120060, 0x0040A027}
)
#: the patient's birth date goes whatever happens to other dates
_DATES = frozenset({0x00100030, 0x00100033})
_NAMES = "PN"


@dataclass(slots=True)
class _Found:
    names: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)


def identity_of(root: Level, vrs: Mapping[int, str], without: Set[int] = frozenset()) -> Identity:
    """Everything in ``root`` that names somebody or some place, in a fixed order; ``vrs`` goes before PS3.6.

    ``without``: attributes that are passed over.
    """
    found = _Found()
    _gather(root, DEFAULT, vrs, without, found)
    return Identity(*(tuple(sorted(part)) for part in (found.names, found.numbers, found.places, found.dates)))


def _gather(level: Level, around: Charset, vrs: Mapping[int, str], without: Set[int], found: _Found) -> None:
    charset = charset_of(level, around)
    for tag in level.tags():
        if tag in without:
            continue
        stated, value = level.value(tag)
        known = vrs.get(tag) or (str(DicomDictionary[tag][0]) if tag in DicomDictionary else "")
        vr = known if stated in ("", "UN") else stated
        if not isinstance(value, bytes) or vr == "SQ":
            for item in level.items(tag):
                _gather(item, charset, vrs, without, found)
        elif value and (into := _drawer(tag, vr, found)) is not None:
            into.update(_texts(charset, tag, value))


def _drawer(tag: int, vr: str, found: _Found) -> set[str] | None:
    if vr == _NAMES:
        return found.names
    for tags, drawer in ((_NUMBERS, found.numbers), (_PLACES, found.places), (_DATES, found.dates)):
        if tag in tags:
            return drawer
    return None


def _texts(charset: Charset, tag: int, value: bytes) -> Iterator[str]:
    try:
        text = charset.decode(tag, value)
    except InstanceHeld:  # it is removed; what cannot be read under its character set is read under the plain one
        text = value.decode("latin_1")
    for part in text.split("\\"):
        if plain := part.strip(" \0"):
            yield plain
