"""Invariant: nothing leaves without a `Release`, and only proxy/deid/verify.py can construct one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "proxy"
GATE = PACKAGE / "deid" / "verify.py"
#: rebuilds one from a worker's frame without pickle; the spool admits it by its tag, which only the gate can make
CARRIER = PACKAGE / "workers" / "reply.py"
#: what the gate is made of
_GATE = (
    "verify", "release", "seal", "allowed", "assembly", "identifiers", "reading", "repertoire", "search", "tokens",
)  # fmt: skip
#: ways to make an instance of a class without naming it in a call
_BACK_DOORS = {"replace", "__new__", "copy", "deepcopy", "__reduce__", "_make"}


def constructions(source: str) -> list[int]:
    """Lines that call `Release`, or give it another name under which it could be called."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="Release") | ast.Attribute(attr="Release")):
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if any(n.name == "Release" and n.asname for n in names):
                lines.append(node.lineno)
            case ast.Assign(value=ast.Name(id="Release") | ast.Attribute(attr="Release")):
                lines.append(node.lineno)
            case ast.Attribute(value=ast.Name(id="Release"), attr=name) if name in _BACK_DOORS:
                lines.append(node.lineno)
    return lines


def test_only_the_gate_constructs_a_release() -> None:
    found = {path for path in PACKAGE.rglob("*.py") if constructions(path.read_text(encoding="utf-8"))}
    assert found - {CARRIER} == {GATE}


def test_the_gate_constructs_it_once_behind_every_check() -> None:
    assert len(constructions(GATE.read_text(encoding="utf-8"))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from proxy.deid.verify import Release\nx = Release(1, b'', b'')",
        "from proxy.deid import verify\nx = verify.Release(1, b'', b'')",
        "from proxy.deid.verify import Release as R",
        "from proxy.deid.verify import Release\nR = Release",
        "from proxy.deid.verify import Release\nx = Release.__new__(Release)",
    ],
)
def test_this_test_sees_constructions(source: str) -> None:
    assert constructions(source)


def test_the_gate_reads_without_the_engine() -> None:
    """Another code path than the engine: no pydicom data set, no module that the engine decides or encodes with."""
    forbidden = {"engine", "access", "actions", "decode", "encode", "values", "iod"}
    for name in (
        "verify",
        "release",
        "seal",
        "allowed",
        "assembly",
        "identifiers",
        "reading",
        "repertoire",
        "search",
        "tokens",
    ):
        tree = ast.parse((PACKAGE / "deid" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not (node.module.startswith("proxy.deid.") and node.module.split(".")[-1] in forbidden), name
                assert not node.module.startswith("pydicom") or node.module == "pydicom._dicom_dict", name
            elif isinstance(node, ast.Import):
                assert not any(alias.name.startswith("pydicom") for alias in node.names), name
