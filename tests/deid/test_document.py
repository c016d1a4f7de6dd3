"""The engine on the compiled scan against the reference on pydicom: the same bytes and counts, or a hold."""

from __future__ import annotations

import importlib.util
import random
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pydicom
import pytest

from proxy.deid.engine import deidentify
from proxy.deid.part10 import Limits
from proxy.deid.profile import PolicySpec, compile_policy
from proxy.deid.retained import sequences_of
from proxy.deid.scanner import VR_NAMES, Encoding, scan_table
from proxy.deid.tokens import read_part10, scan
from proxy.deid.types import Claimed, materialise
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile

DATA = Path(pydicom.__file__).parent / "data"
FILES = sorted(p for folder in ("test_files", "charset_files") for p in (DATA / folder).rglob("*") if p.is_file())
LIMITS = Limits()
_RETAINING = (
    "rtn_safe_priv",
    "rtn_dev_id",
    "rtn_inst_id",
    "rtn_pat_chars",
    "clean_desc",
    "clean_struct",
    "clean_graph",
)
#: options that meet each other
OPTIONED = {
    "modified": (*_RETAINING, "rtn_long_modif"),
    "full": (*_RETAINING, "rtn_long_full", "rtn_uids"),
}


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deid_reference", Path(__file__).parent / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["deid_reference"] = module
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()


def outcome(engine: ModuleType | type, data: bytes, policy: object) -> object:
    """Output and counts, or the reason; pydicom's own trouble with a mutant counts as held."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = engine.deidentify(memoryview(data), Claimed(), policy)
    except InstanceHeld as held:
        return held
    except Exception as error:  # the worker turns it into a hold
        assert engine is REFERENCE
        return InstanceHeld("engine-error", type(error).__name__)
    return materialise(done.chunks, data), dict(done.report.counts)


class Fast:
    deidentify = staticmethod(deidentify)


#: rules by everything that an element can be matched by: what is reached must not leave in a run
RULES = [
    {"match": {"keyword": ["StudyDescription", "BodyPartExamined"]}, "do": "keep"},
    {"match": {"tag": "(0028,0030)"}, "do": "remove"},
    {"match": {"mask": "(0018,10xx)", "vr": ["DS", "IS"]}, "do": "replace", "with": "7"},
    {"match": {"vr": "CS"}, "when": {"Modality": {"value": ["CT", "SR"]}}, "do": "clean"},
    {"match": {"vr": ["SH", "AT"]}, "do": "empty"},
    {"match": {"creator": "GEMS_PARM_01"}, "do": "remove"},
]


def policy_of(make: ModuleType, name: str) -> object:
    more = {"blank_patient_id": "per-study", "uninspected_pixels": "forward"}
    if name == "ruled":
        profile = {**load_profile("research"), "rules": RULES, "pixels": {"faces": "forward", "text": "off"}}
        return compile_policy(make.tables(), PolicySpec("research", profile, make.KEY, **more))
    return make.optioned(*OPTIONED[name], base="research", **more) if name in OPTIONED else make.policy(name, **more)


@pytest.mark.parametrize("profile", ["basic", "research", "mammography", "ruled", *OPTIONED])
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files_give_the_same_bytes(make: ModuleType, path: Path, profile: str) -> None:
    policy = policy_of(make, profile)
    data = path.read_bytes()
    fast, slow = outcome(Fast, data, policy), outcome(REFERENCE, data, policy)
    if isinstance(fast, InstanceHeld):
        assert isinstance(slow, InstanceHeld)
    else:
        assert fast == slow


def mutants(seed: int, most: int) -> list[bytes]:
    rnd = random.Random(seed)
    sources = [p.read_bytes() for p in FILES if p.stat().st_size < 12_000]
    sources = [s for s in sources if s[128:132] == b"DICM"]
    found = []
    for _ in range(most):
        data = bytearray(rnd.choice(sources))
        for _ in range(rnd.randint(1, 3)):
            at = rnd.randrange(330, max(331, min(len(data), 4000)))
            kind = rnd.random()
            if kind < 0.6:
                data[at : at + 1] = bytes([rnd.choice((0, 1, 0x20, 0x41, 0xFE, 0xFF, rnd.randrange(256)))])
            elif kind < 0.8:
                del data[at : at + rnd.choice((1, 2, 8))]
            else:
                data[at:at] = rnd.randbytes(rnd.choice((1, 2, 8)))
        found.append(bytes(data))
    return found


@pytest.mark.parametrize("profile", ["research", "ruled", *OPTIONED])
def test_mutated_instances_give_the_same_bytes_or_are_held(make: ModuleType, profile: str) -> None:
    policy = policy_of(make, profile)
    released = 0
    for data in mutants(seed=8, most=1500):
        fast = outcome(Fast, data, policy)
        if isinstance(fast, InstanceHeld):
            continue
        released += 1
        slow = outcome(REFERENCE, data, policy)
        if not isinstance(slow, InstanceHeld):
            assert fast == slow
    assert released > 100  # otherwise this compares nothing


def test_mutated_data_sets_scan_as_the_reference_scans(make: ModuleType) -> None:
    """The compiled scan accepts what the reference accepts, token by token, and nothing else."""
    sequences = sequences_of(make.policy("basic"))
    syntaxes = {"1.2.840.10008.1.2": (True, True), "1.2.840.10008.1.2.2": (False, False)}
    accepted = 0
    for data in mutants(seed=9, most=6000):
        view = memoryview(data)
        try:
            head = read_part10(view)
        except InstanceHeld:
            continue
        implicit, little = syntaxes.get(head.transfer_syntax_uid, (False, True))
        try:
            table = scan_table(view, head.dataset_offset, Encoding(implicit, little, sequences), LIMITS).table
            fast = [(*row[:1], VR_NAMES[row[1]], *row[2:7]) for row in table.tolist()]
        except InstanceHeld:
            fast = None
        try:
            tokens = scan(view, head.dataset_offset, implicit=implicit, little=little, limits=LIMITS)
            slow = [(t.tag, t.vr, t.offset, t.value_offset, t.length, t.end, t.depth) for t in tokens]
        except InstanceHeld:
            slow = None
        assert fast == slow
        accepted += fast is not None
    assert accepted > 500


def test_elements_out_of_order_leave_in_order(make: ModuleType) -> None:
    data = bytearray(make.encode(make.dataset(Rows=4, Columns=8)))
    rows = data.index(b"\x28\0\x10\0US")
    columns = data.index(b"\x28\0\x11\0US")
    data[rows : columns + 10] = data[columns : columns + 10] + data[rows : rows + 10]
    ds = make.run(bytes(data), make.policy("basic"))[1]
    assert outcome(Fast, bytes(data), make.policy("basic")) == outcome(REFERENCE, bytes(data), make.policy("basic"))
    assert ds.index(b"\x28\0\x10\0US") < ds.index(b"\x28\0\x11\0US")


def test_reserved_bytes_of_a_header_do_not_leave(make: ModuleType) -> None:
    """PS3.5 7.1.2: two bytes after a long VR are reserved; whatever stood there is gone."""
    data = bytearray(make.encode(make.dataset(RedPaletteColorLookupTableData=b"\1\0\2\0")))
    at = data.index(b"\x28\0\x01\x12OW") + 6
    data[at : at + 2] = b"JD"
    out = make.run(bytes(data), make.policy("basic"))[1]
    assert b"\x28\0\x01\x12OW\0\0" in out
